"""What people and organizations say about tools, and the approvals that people give.

Frozen: what comes later is another migration. A tool that was switched on becomes one that its person always allows,
as they saw it.
"""

import sqlalchemy as sa
from alembic import op

from valetkey.store.types import Instant

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tool_permission", sa.Column("setting", sa.String(length=5), nullable=False, server_default="allow"))
    op.add_column("tool_permission", sa.Column("tool_class", sa.String(length=1), nullable=False, server_default=""))
    op.create_table(
        "ceiling",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("organization_id", sa.String(length=40), nullable=False),
        sa.Column("connector", sa.String(length=40), nullable=False),
        sa.Column("tool", sa.String(length=255), nullable=False),
        sa.Column("tool_class", sa.String(length=1), nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.Column("setting", sa.String(length=5), nullable=False),
        sa.Column("set_by", sa.String(length=80), nullable=False),
        sa.Column("set_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organization.id"],
            name=op.f("fk_ceiling_organization_id_organization"),
            ondelete="cascade",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ceiling")),
        sa.UniqueConstraint(
            "organization_id",
            "connector",
            "tool",
            "tool_class",
            "role",
            name=op.f("uq_ceiling_organization_id_connector_tool_tool_class_role"),
        ),
    )
    op.create_table(
        "enabled_vertical",
        sa.Column("organization_id", sa.String(length=40), nullable=False),
        sa.Column("connector", sa.String(length=40), nullable=False),
        sa.Column("set_by", sa.String(length=80), nullable=False),
        sa.Column("set_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organization.id"],
            name=op.f("fk_enabled_vertical_organization_id_organization"),
            ondelete="cascade",
        ),
        sa.PrimaryKeyConstraint("organization_id", "connector", name=op.f("pk_enabled_vertical")),
    )
    op.create_table(
        "approval",
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
        sa.Column("tool_class", sa.String(length=1), nullable=False),
        sa.Column("counts_as", sa.String(length=1), nullable=False),
        sa.Column("because", sa.String(length=300), nullable=False),
        sa.Column("rule", sa.String(length=60), nullable=False),
        sa.Column("reason", sa.String(length=300), nullable=False),
        sa.Column("how", sa.String(length=10), nullable=False),
        sa.Column("may_remember", sa.Boolean(), nullable=False),
        sa.Column("may_stand", sa.Boolean(), nullable=False),
        sa.Column("for_tool", sa.Boolean(), nullable=False),
        sa.Column("request_digest", sa.String(length=64), nullable=False),
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("policy_version", sa.String(length=64), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("call", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("uses_left", sa.Integer(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("decided_at", Instant(), nullable=True),
        sa.Column("decided_in", sa.String(length=40), nullable=False),
        sa.Column("words", sa.String(length=300), nullable=False),
        sa.Column("proof", sa.LargeBinary(), nullable=True),
        sa.Column("consumed_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connection.id"], name=op.f("fk_approval_connection_id_connection"), ondelete="cascade"
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_approval_person_id_person"), ondelete="cascade"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approval")),
    )
    op.create_index(op.f("ix_approval_connection_id"), "approval", ["connection_id"], unique=False)
    op.create_index(
        "ix_approval_live",
        "approval",
        ["person_id", "request_digest"],
        unique=True,
        sqlite_where=sa.text("state in ('pending', 'approved')"),
        postgresql_where=sa.text("state in ('pending', 'approved')"),
    )
    op.create_index(
        op.f("ix_approval_person_id_approval_created_at"), "approval", ["person_id", "created_at"], unique=False
    )
    op.create_table(
        "approval_use",
        sa.Column("call_id", sa.String(length=40), nullable=False),
        sa.Column("approval_id", sa.String(length=40), nullable=False),
        sa.Column("connection_id", sa.String(length=40), nullable=False),
        sa.Column("tool", sa.String(length=255), nullable=False),
        sa.Column("request_digest", sa.String(length=64), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["connection.id"],
            name=op.f("fk_approval_use_connection_id_connection"),
            ondelete="cascade",
        ),
        sa.PrimaryKeyConstraint("call_id", name=op.f("pk_approval_use")),
    )
    op.create_index(op.f("ix_approval_use_approval_id"), "approval_use", ["approval_id"], unique=False)
    op.create_index(op.f("ix_approval_use_at"), "approval_use", ["at"], unique=False)
    op.create_index(op.f("ix_approval_use_connection_id"), "approval_use", ["connection_id"], unique=False)
    op.create_table(
        "standing_approval",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("person_id", sa.String(length=40), nullable=False),
        sa.Column("client_id", sa.String(length=2048), nullable=False),
        sa.Column("client_name", sa.String(length=200), nullable=False),
        sa.Column("connection_id", sa.String(length=40), nullable=False),
        sa.Column("tool", sa.String(length=255), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("counts_as", sa.String(length=1), nullable=False),
        sa.Column("policy_version", sa.String(length=64), nullable=False),
        sa.Column("constraints", sa.LargeBinary(), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("uses_left", sa.Integer(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
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
    op.create_table(
        "taint",
        sa.Column("person_id", sa.String(length=40), nullable=False),
        sa.Column("client_id", sa.String(length=2048), nullable=False),
        sa.Column("connection_id", sa.String(length=40), nullable=False),
        sa.Column("because", sa.String(length=100), nullable=False),
        sa.Column("until", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connection.id"], name=op.f("fk_taint_connection_id_connection"), ondelete="cascade"
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_taint_person_id_person"), ondelete="cascade"
        ),
        sa.PrimaryKeyConstraint("person_id", "client_id", "connection_id", name=op.f("pk_taint")),
    )
    op.create_index(op.f("ix_taint_connection_id"), "taint", ["connection_id"], unique=False)
