"""For how long calls are kept, what a hold keeps beyond it, and the runs that let go. Frozen, as every migration."""

import sqlalchemy as sa
from alembic import op

from valetkey.store.types import BigInt, Instant

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "retention_time",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("organization_id", sa.String(length=40), nullable=False),
        sa.Column("contents", sa.Integer(), nullable=True),
        sa.Column("calls", sa.Integer(), nullable=True),
        sa.Column("at_most", sa.Integer(), nullable=True),
        sa.Column("set_at", Instant(), nullable=False),
        sa.Column("set_by", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retention_time")),
    )
    op.create_index(op.f("ix_retention_time_organization_id"), "retention_time", ["organization_id"], unique=False)
    op.create_table(
        "legal_hold",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("organization_id", sa.String(length=40), nullable=False),
        sa.Column("person_id", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.String(length=300), nullable=False),
        sa.Column("placed_at", Instant(), nullable=False),
        sa.Column("placed_by", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_legal_hold")),
    )
    op.create_index(op.f("ix_legal_hold_organization_id"), "legal_hold", ["organization_id"], unique=False)
    op.create_table(
        "owed_erasure",
        sa.Column("organization_id", sa.String(length=40), nullable=False),
        sa.Column("person_id", sa.String(length=40), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "person_id", name=op.f("pk_owed_erasure")),
    )
    op.create_table(
        "retention_run",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("began_at", Instant(), nullable=False),
        sa.Column("finished_at", Instant(), nullable=True),
        sa.Column("days", BigInt, nullable=False),
        sa.Column("calls", BigInt, nullable=False),
        sa.Column("looked_at", BigInt, nullable=False),
        sa.Column("of", BigInt, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retention_run")),
    )
