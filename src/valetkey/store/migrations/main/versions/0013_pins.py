"""What was accepted of each connection's tools, and alerts. Frozen: what comes later is another migration."""

import sqlalchemy as sa
from alembic import op

from valetkey.store.types import Instant

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tool_pin",
        sa.Column("connection_id", sa.String(length=40), nullable=False),
        sa.Column("tools", sa.LargeBinary(), nullable=False),
        sa.Column("server", sa.LargeBinary(), nullable=False),
        sa.Column("pinned_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["connection.id"],
            name=op.f("fk_tool_pin_connection_id_connection"),
            ondelete="cascade",
        ),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("pk_tool_pin")),
    )
    # What was listed before there were pins is what people have been using.
    op.execute(
        "INSERT INTO tool_pin (connection_id, tools, server, pinned_at)"
        " SELECT connection_id, tools, server, fetched_at FROM tool_snapshot"
    )
    op.create_table(
        "alert",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("organization_id", sa.String(length=40), nullable=False),
        sa.Column("person_id", sa.String(length=40), nullable=False),
        sa.Column("connection_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("first_at", Instant(), nullable=False),
        sa.Column("last_at", Instant(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("dismissed_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["connection.id"],
            name=op.f("fk_alert_connection_id_connection"),
            ondelete="cascade",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert")),
        sa.UniqueConstraint("connection_id", "kind", "subject", name=op.f("uq_alert_connection_id_kind_subject")),
    )
    op.create_index(op.f("ix_alert_person_id"), "alert", ["person_id"])
    op.create_index(op.f("ix_alert_organization_id_alert_last_at"), "alert", ["organization_id", "last_at"])
