"""The privacy policy in versions, and who has seen which. Frozen: what comes later is another migration."""

import sqlalchemy as sa
from alembic import op

from valetkey.store.types import Instant

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "privacy_policy",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("published_at", Instant(), nullable=False),
        sa.Column("published_by", sa.String(length=80), nullable=False),
        sa.Column("is_template", sa.Boolean(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_privacy_policy")),
    )
    op.create_table(
        "privacy_seen",
        sa.Column("person_id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_privacy_seen_person_id_person"), ondelete="cascade"
        ),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_privacy_seen")),
    )
