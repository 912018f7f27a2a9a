"""Connectors that members ask for, and what they may do by themselves. Frozen, as every migration."""

import sqlalchemy as sa
from alembic import op

from valetkey.store.types import Instant, Json

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "connector_request",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("organization_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("url", sa.String(length=2048), nullable=False),
        sa.Column("host", sa.String(length=260), nullable=False),
        sa.Column("address", sa.String(length=2048), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("resolved_at", Instant(), nullable=True),
        sa.Column("resolved_by", sa.String(length=80), nullable=False),
        sa.Column("slug", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organization.id"],
            name=op.f("fk_connector_request_organization_id_organization"),
            ondelete="cascade",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_connector_request")),
        sa.UniqueConstraint("organization_id", "address", name=op.f("uq_connector_request_organization_id_address")),
    )
    op.create_index(op.f("ix_connector_request_organization_id"), "connector_request", ["organization_id"])
    op.create_table(
        "connector_request_asker",
        sa.Column("request_id", sa.String(length=40), nullable=False),
        sa.Column("person_id", sa.String(length=40), nullable=False),
        sa.Column("asked_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["request_id"],
            ["connector_request.id"],
            name=op.f("fk_connector_request_asker_request_id_connector_request"),
            ondelete="cascade",
        ),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["person.id"],
            name=op.f("fk_connector_request_asker_person_id_person"),
            ondelete="cascade",
        ),
        sa.PrimaryKeyConstraint("request_id", "person_id", name=op.f("pk_connector_request_asker")),
    )
    op.create_table(
        "organization_rules",
        sa.Column("organization_id", sa.String(length=40), nullable=False),
        sa.Column("said", Json, nullable=False),
        sa.Column("set_by", sa.String(length=80), nullable=False),
        sa.Column("set_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organization.id"],
            name=op.f("fk_organization_rules_organization_id_organization"),
            ondelete="cascade",
        ),
        sa.PrimaryKeyConstraint("organization_id", name=op.f("pk_organization_rules")),
    )
