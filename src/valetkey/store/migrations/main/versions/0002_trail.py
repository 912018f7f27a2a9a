"""The tamper-evident log. Frozen: what comes later is another migration."""

import sqlalchemy as sa
from alembic import op

from valetkey.store.types import BigInt

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "trail_leaf",
        sa.Column("seq", BigInt, autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("reference", sa.String(length=40), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_trail_leaf")),
        sa.UniqueConstraint("reference", "kind", name=op.f("uq_trail_leaf_reference_kind")),
    )
    op.create_table(
        "trail_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("size", BigInt, nullable=False),
        sa.Column("peaks", sa.LargeBinary(), nullable=False),
        sa.Column("events_before", BigInt, nullable=False),
        sa.Column("calls_before", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trail_head")),
    )
    # What was written before there was a log is not in it, and is not to be taken for smuggled in.
    empty = "''::bytea" if op.get_context().dialect.name == "postgresql" else "x''"
    op.execute(
        "insert into trail_head (id, size, peaks, events_before, calls_before) "  # noqa: S608 – ours
        f"select 1, 0, {empty}, coalesce((select max(seq) from trail_event), 0), "
        "coalesce((select max(id) from call_record), '')"
    )
