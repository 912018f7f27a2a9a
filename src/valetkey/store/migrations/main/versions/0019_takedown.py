"""Listings that the operator took down. Frozen: what comes later is another migration."""

import sqlalchemy as sa
from alembic import op

from valetkey.store.types import Instant

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "takedown",
        sa.Column("listing", sa.String(length=24), nullable=False),
        sa.Column("reason", sa.String(length=400), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("listing", name=op.f("pk_takedown")),
    )
