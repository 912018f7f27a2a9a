"""What owners accepted of changed tools for every account at a connector. Frozen: what comes later is another one."""

import sqlalchemy as sa
from alembic import op

from valetkey.store.types import Instant

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tool_acceptance",
        sa.Column("connector_id", sa.String(length=40), nullable=False),
        sa.Column("seen", sa.String(length=64), nullable=False),
        sa.Column("tool", sa.Text(), nullable=False),
        sa.Column("accepted_by", sa.String(length=80), nullable=False),
        sa.Column("accepted_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connector_id"], ["connector.id"],
            name=op.f("fk_tool_acceptance_connector_id_connector"), ondelete="cascade",
        ),
        sa.PrimaryKeyConstraint("connector_id", "seen", name=op.f("pk_tool_acceptance")),
    )  # fmt: skip
