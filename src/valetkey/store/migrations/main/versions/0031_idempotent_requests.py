"""Writes of programs under a key, and what was answered. Frozen, as every migration."""

import sqlalchemy as sa
from alembic import op

from valetkey.store.types import Instant

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "idempotent_request",
        sa.Column("whose", sa.String(length=40), nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("begun_at", Instant(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("media_type", sa.String(length=100), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("whose", "key_hash", name=op.f("pk_idempotent_request")),
    )
    op.create_index(op.f("ix_idempotent_request_begun_at"), "idempotent_request", ["begun_at"], unique=False)
