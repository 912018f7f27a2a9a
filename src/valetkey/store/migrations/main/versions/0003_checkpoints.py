"""Checkpoints of the log, and how far each sink has them."""

import sqlalchemy as sa
from alembic import op

from valetkey.store.types import BigInt, Instant

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "trail_checkpoint",
        sa.Column("number", BigInt, autoincrement=False, nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("size", BigInt, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("verifier_key", sa.String(length=300), nullable=False),
        sa.Column("watch", sa.String(length=40), nullable=False),
        sa.Column("step", BigInt, nullable=False),
        sa.Column("mac", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_trail_checkpoint")),
    )
    op.create_table(
        "trail_sink",
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("delivered", BigInt, nullable=False),
        sa.Column("delivered_at", Instant(), nullable=True),
        sa.Column("failing_since", Instant(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("next_at", Instant(), nullable=True),
        sa.Column("reason", sa.String(length=300), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_trail_sink")),
    )
