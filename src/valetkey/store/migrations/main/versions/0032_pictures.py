"""Pictures of submissions, the desk's classes, and when a contact was confirmed. Frozen, as every migration."""

import sqlalchemy as sa
from alembic import op

from valetkey.store.types import Instant

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("submission", sa.Column("tools", sa.Text(), nullable=False, server_default="[]"))
    op.add_column("submission", sa.Column("contact_at", Instant(), nullable=True))
    op.add_column("submission", sa.Column("contact_code", sa.String(length=64), nullable=False, server_default=""))
    # Who is listed is asked half a year after the last time that anybody looked; their domain was proved then.
    op.execute("update submission set contact_at = proved_at")
    op.create_table(
        "submission_picture",
        sa.Column("submission_id", sa.String(length=40), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("png", sa.LargeBinary(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["submission_id"],
            ["submission.id"],
            name=op.f("fk_submission_picture_submission_id_submission"),
            ondelete="cascade",
        ),
        sa.PrimaryKeyConstraint("submission_id", "hash", name=op.f("pk_submission_picture")),
    )
    op.create_index(op.f("ix_submission_picture_hash"), "submission_picture", ["hash"], unique=False)
