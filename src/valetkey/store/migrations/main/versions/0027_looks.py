"""The history of submissions, and what the hub's own looks at listings came to. Frozen, as every migration."""

import sqlalchemy as sa
from alembic import op

from valetkey.store.types import BigInt, Instant

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "submission_entry",
        sa.Column("seq", BigInt, autoincrement=True, nullable=False),
        sa.Column("submission_id", sa.String(length=40), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("act", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["submission_id"],
            ["submission.id"],
            name=op.f("fk_submission_entry_submission_id_submission"),
            ondelete="cascade",
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_submission_entry")),
    )
    op.create_index(op.f("ix_submission_entry_submission_id"), "submission_entry", ["submission_id"], unique=False)
    op.create_table(
        "listing_look",
        sa.Column("slug", sa.String(length=24), nullable=False),
        sa.Column("looked_at", Instant(), nullable=True),
        sa.Column("says", sa.Text(), nullable=False),
        sa.Column("held", sa.Text(), nullable=False),
        sa.Column("unproved", sa.Text(), nullable=False),
        sa.Column("tools", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("slug", name=op.f("pk_listing_look")),
    )
    # Nothing was ever written into these two; a look is of any listing, so it has a table of its own.
    op.drop_column("submission", "scanned_at")
    op.drop_column("submission", "scan")
