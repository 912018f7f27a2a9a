"""Request states that clients brought back. Frozen: what comes later is another migration."""

import sqlalchemy as sa
from alembic import op

from valetkey.store.types import BigInt

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "spent_state",
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("until", BigInt, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_spent_state")),
    )
    op.create_index(op.f("ix_spent_state_until"), "spent_state", ["until"], unique=False)
