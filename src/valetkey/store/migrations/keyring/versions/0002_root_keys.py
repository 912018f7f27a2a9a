"""Which root keys there were, counted through; and what a recovery kit opens. Frozen."""

import sqlalchemy as sa
from alembic import op

from valetkey.store.types import Instant

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "root_key",
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("scheme", sa.String(length=20), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("first_seen_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_root_key")),
        sa.UniqueConstraint("key_id", name=op.f("uq_root_key_key_id")),
    )
    op.create_table(
        "recovery_kit",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_recovery_kit")),
    )
    op.add_column("tenant_key", sa.Column("recovery", sa.LargeBinary(), nullable=True))
