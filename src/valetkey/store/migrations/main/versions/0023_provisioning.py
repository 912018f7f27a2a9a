"""Organizations' directories: their tokens, what they say of people, their groups. Frozen, as every migration."""

import sqlalchemy as sa
from alembic import op

from valetkey.store.types import Instant, Json

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "provisioning_token",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("organization_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("last_used_at", Instant(), nullable=True),
        _refers("provisioning_token", "organization_id", "organization"),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_provisioning_token")),
        sa.UniqueConstraint("id", name=op.f("uq_provisioning_token_id")),
    )
    op.create_index(op.f("ix_provisioning_token_organization_id"), "provisioning_token", ["organization_id"])
    op.create_table(
        "provisioned_person",
        sa.Column("person_id", sa.String(length=40), nullable=False),
        sa.Column("said", Json, nullable=False),
        sa.Column("changed_at", Instant(), nullable=False),
        _refers("provisioned_person", "person_id", "person"),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_provisioned_person")),
    )
    op.create_table(
        "provisioned_group",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("organization_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("external_id", sa.String(length=300), nullable=False),
        sa.Column("role", sa.String(length=10), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("changed_at", Instant(), nullable=False),
        sa.CheckConstraint("role in ('admin', 'auditor', 'member')", name=op.f("ck_provisioned_group_role")),
        _refers("provisioned_group", "organization_id", "organization"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provisioned_group")),
        sa.UniqueConstraint("organization_id", "name", name=op.f("uq_provisioned_group_organization_id_name")),
    )
    op.create_index(op.f("ix_provisioned_group_organization_id"), "provisioned_group", ["organization_id"])
    op.create_table(
        "provisioned_member",
        sa.Column("group_id", sa.String(length=40), nullable=False),
        sa.Column("person_id", sa.String(length=40), nullable=False),
        _refers("provisioned_member", "group_id", "provisioned_group"),
        _refers("provisioned_member", "person_id", "person"),
        sa.PrimaryKeyConstraint("group_id", "person_id", name=op.f("pk_provisioned_member")),
    )
    op.create_index(op.f("ix_provisioned_member_person_id"), "provisioned_member", ["person_id"])


def _refers(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{other}.id"], name=op.f(f"fk_{table}_{column}_{other}"), ondelete="cascade"
    )
