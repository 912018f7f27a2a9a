"""Organizations' identity providers, domains, and who is tied to whom there. Frozen, as every migration."""

import sqlalchemy as sa
from alembic import op

from valetkey.store.types import Instant

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sign_in_provider",
        sa.Column("organization_id", sa.String(length=40), nullable=False),
        sa.Column("issuer", sa.String(length=500), nullable=False),
        sa.Column("client_id", sa.String(length=500), nullable=False),
        sa.Column("client_auth", sa.String(length=30), nullable=False),
        sa.Column("sealed_for", sa.String(length=300), nullable=False),
        sa.Column("is_required", sa.Boolean(), nullable=False),
        sa.Column("adds_people", sa.Boolean(), nullable=False),
        sa.Column("trusts_email", sa.Boolean(), nullable=False),
        sa.Column("set_at", Instant(), nullable=False),
        _of_organization("sign_in_provider"),
        sa.PrimaryKeyConstraint("organization_id", name=op.f("pk_sign_in_provider")),
    )
    op.create_table(
        "organization_domain",
        sa.Column("organization_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=253), nullable=False),
        sa.Column("challenge", sa.String(length=80), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("verified_at", Instant(), nullable=True),
        _of_organization("organization_domain"),
        sa.PrimaryKeyConstraint("organization_id", "name", name=op.f("pk_organization_domain")),
    )
    op.create_index(
        "ix_organization_domain_verified",
        "organization_domain",
        ["name"],
        unique=True,
        sqlite_where=sa.text("verified_at is not null"),
        postgresql_where=sa.text("verified_at is not null"),
    )
    op.create_table(
        "sign_in_attempt",
        sa.Column("state_hash", sa.String(length=64), nullable=False),
        sa.Column("organization_id", sa.String(length=40), nullable=False),
        sa.Column("issuer", sa.String(length=500), nullable=False),
        sa.Column("browser_hash", sa.String(length=64), nullable=False),
        sa.Column("nonce", sa.String(length=64), nullable=False),
        sa.Column("purpose", sa.String(length=10), nullable=False),
        sa.Column("person_id", sa.String(length=40), nullable=False),
        sa.Column("return_to", sa.Text(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        _of_organization("sign_in_attempt"),
        sa.PrimaryKeyConstraint("state_hash", name=op.f("pk_sign_in_attempt")),
    )
    op.create_table(
        "external_identity",
        sa.Column("organization_id", sa.String(length=40), nullable=False),
        sa.Column("issuer", sa.String(length=500), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("person_id", sa.String(length=40), nullable=False),
        sa.Column("linked_at", Instant(), nullable=False),
        _of_organization("external_identity"),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_external_identity_person_id_person"), ondelete="cascade"
        ),
        sa.PrimaryKeyConstraint("organization_id", "issuer", "subject", name=op.f("pk_external_identity")),
        sa.UniqueConstraint("person_id", name=op.f("uq_external_identity_person_id")),
    )


def _of_organization(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["organization_id"],
        ["organization.id"],
        name=op.f(f"fk_{table}_organization_id_organization"),
        ondelete="cascade",
    )
