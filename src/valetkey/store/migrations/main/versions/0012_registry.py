"""Servers that a registry lists, and how far reading it has come. Frozen: what comes later is another migration."""

import sqlalchemy as sa
from alembic import op

from valetkey.store.types import Instant

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "registry_server",
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("title", sa.String(length=100), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("version", sa.String(length=80), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("website", sa.Text(), nullable=False),
        sa.Column("seen_in", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_registry_server")),
    )
    op.create_table(
        "registry_run",
        sa.Column("registry", sa.String(length=300), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("began_at", Instant(), nullable=False),
        sa.Column("finished_at", Instant(), nullable=True),
        sa.Column("since", Instant(), nullable=True),
        sa.Column("pages", sa.Integer(), nullable=False),
        sa.Column("servers", sa.Integer(), nullable=False),
        sa.Column("gone", sa.Integer(), nullable=False),
        sa.Column("left_out", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(length=400), nullable=False),
        sa.Column("synced_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("registry", name=op.f("pk_registry_run")),
    )
