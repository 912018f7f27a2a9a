"""Consents to training, and what was handed out under them. Frozen, as every migration."""

import sqlalchemy as sa
from alembic import op

from valetkey.store.types import Instant

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "training_consent",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("person_id", sa.String(length=40), nullable=False),
        sa.Column("organization_id", sa.String(length=40), nullable=False),
        sa.Column("given_at", Instant(), nullable=False),
        sa.Column("policy_version", sa.String(length=40), nullable=False),
        sa.Column("text_hash", sa.String(length=64), nullable=False),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_training_consent_person_id_person"), ondelete="cascade"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_training_consent")),
    )
    op.create_index(op.f("ix_training_consent_person_id"), "training_consent", ["person_id"], unique=False)
    op.create_table(
        "training_item",
        sa.Column("call_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("consent_id", sa.String(length=40), nullable=False),
        sa.Column("exported_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["consent_id"],
            ["training_consent.id"],
            name=op.f("fk_training_item_consent_id_training_consent"),
            ondelete="cascade",
        ),
        sa.PrimaryKeyConstraint("call_id", name=op.f("pk_training_item")),
        sa.UniqueConstraint("id", name=op.f("uq_training_item_id")),
    )
    op.create_index(op.f("ix_training_item_consent_id"), "training_item", ["consent_id"], unique=False)
