"""Standing approvals, which nothing used so far, know what they are for. Frozen, as every migration."""

import sqlalchemy as sa
from alembic import op

from valetkey.store.types import Instant

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_table("standing_approval")
    op.create_table(
        "standing_approval",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("person_id", sa.String(length=40), nullable=False),
        sa.Column("organization_id", sa.String(length=40), nullable=False),
        sa.Column("client_id", sa.String(length=2048), nullable=False),
        sa.Column("client_name", sa.String(length=200), nullable=False),
        sa.Column("connection_id", sa.String(length=40), nullable=False),
        sa.Column("connector", sa.String(length=40), nullable=False),
        sa.Column("connector_version", sa.Integer(), nullable=False),
        sa.Column("origin", sa.String(length=300), nullable=False),
        sa.Column("label", sa.String(length=12), nullable=False),
        sa.Column("tool", sa.String(length=255), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("counts_as", sa.String(length=1), nullable=False),
        sa.Column("rules", sa.String(length=64), nullable=False),
        sa.Column("scope", sa.LargeBinary(), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("uses_left", sa.Integer(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("last_used_at", Instant(), nullable=True),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.Column("ended_because", sa.String(length=20), nullable=False),
        sa.Column("approval_id", sa.String(length=40), nullable=False),
        sa.Column("given_in", sa.String(length=40), nullable=False),
        sa.Column("proof", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["connection.id"],
            name=op.f("fk_standing_approval_connection_id_connection"),
            ondelete="cascade",
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_standing_approval_person_id_person"), ondelete="cascade"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_standing_approval")),
    )
    op.create_index(op.f("ix_standing_approval_connection_id"), "standing_approval", ["connection_id"], unique=False)
    op.create_index(op.f("ix_standing_approval_person_id"), "standing_approval", ["person_id"], unique=False)
    op.add_column("approval_use", sa.Column("uncertain", sa.Boolean(), nullable=False, server_default=sa.false()))
