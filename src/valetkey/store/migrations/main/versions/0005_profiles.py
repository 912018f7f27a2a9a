"""Profiles: named choices of connections and tools. Frozen: what comes later is another migration."""

import sqlalchemy as sa
from alembic import op

from valetkey.store.types import Instant, Json

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "profile",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("person_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=24), nullable=False),
        sa.Column("title", sa.String(length=100), nullable=False),
        sa.Column("access", sa.String(length=8), nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("changed_at", Instant, nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_profile_person_id_person"), ondelete="cascade"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_profile")),
        sa.UniqueConstraint("person_id", "name", name=op.f("uq_profile_person_id_name")),
    )
    op.create_table(
        "profile_choice",
        sa.Column("profile_id", sa.String(length=40), nullable=False),
        sa.Column("connection_id", sa.String(length=40), nullable=False),
        sa.Column("whole", sa.Boolean(), nullable=False),
        sa.Column("tools", Json, nullable=False),
        sa.ForeignKeyConstraint(
            ["profile_id"], ["profile.id"], name=op.f("fk_profile_choice_profile_id_profile"), ondelete="cascade"
        ),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["connection.id"],
            name=op.f("fk_profile_choice_connection_id_connection"),
            ondelete="cascade",
        ),
        sa.PrimaryKeyConstraint("profile_id", "connection_id", name=op.f("pk_profile_choice")),
    )
    op.create_index(op.f("ix_profile_choice_connection_id"), "profile_choice", ["connection_id"])
