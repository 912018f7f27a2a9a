"""Which scopes a service named when it refused a call. Frozen: what comes later is another migration."""

import sqlalchemy as sa
from alembic import op

from valetkey.store.types import Instant

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "scope_challenge",
        sa.Column("connection_id", sa.String(length=40), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("consents", sa.Integer(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["connection.id"],
            name=op.f("fk_scope_challenge_connection_id_connection"),
            ondelete="cascade",
        ),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("pk_scope_challenge")),
    )
