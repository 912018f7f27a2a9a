"""Calls have the class of their tool, and people and organizations say how much is kept. Frozen, as every migration."""

import sqlalchemy as sa
from alembic import op

from valetkey.store.types import Instant

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("call_record", sa.Column("tool_class", sa.String(length=1), nullable=False, server_default=""))
    op.create_table(
        "log_level",
        sa.Column("organization_id", sa.String(length=40), nullable=False),
        sa.Column("person_id", sa.String(length=40), nullable=False),
        sa.Column("connector", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("level", sa.String(length=8), nullable=False),
        sa.Column("set_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organization.id"],
            name=op.f("fk_log_level_organization_id_organization"),
            ondelete="cascade",
        ),
        sa.PrimaryKeyConstraint("organization_id", "person_id", "connector", "kind", name=op.f("pk_log_level")),
    )
