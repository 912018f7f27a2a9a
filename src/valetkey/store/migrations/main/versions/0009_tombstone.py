"""Who ended a connection, and how far that has come. Frozen: what comes later is another migration."""

import sqlalchemy as sa
from alembic import op

from valetkey.store.types import Instant

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tombstone",
        sa.Column("connection_id", sa.String(length=40), nullable=False),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("began_at", Instant(), nullable=False),
        sa.Column("keys", sa.Integer(), nullable=False),
        sa.Column("revocation", sa.String(length=20), nullable=False),
        sa.Column("revocation_detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["connection.id"],
            name=op.f("fk_tombstone_connection_id_connection"),
            ondelete="cascade",
        ),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("pk_tombstone")),
    )
