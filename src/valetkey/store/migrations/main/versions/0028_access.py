"""Which hosts connectors may reach, and for which groups one is. Frozen, as every migration."""

import sqlalchemy as sa
from alembic import op

from valetkey.store.types import Instant, Json

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "organization_hosts",
        sa.Column("organization_id", sa.String(length=40), nullable=False),
        sa.Column("said", Json, nullable=False),
        sa.Column("set_by", sa.String(length=80), nullable=False),
        sa.Column("set_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organization.id"],
            name=op.f("fk_organization_hosts_organization_id_organization"),
            ondelete="cascade",
        ),
        sa.PrimaryKeyConstraint("organization_id", name=op.f("pk_organization_hosts")),
    )
    op.create_table(
        "connector_audience",
        sa.Column("connector_id", sa.String(length=40), nullable=False),
        sa.Column("groups", Json, nullable=False),
        sa.Column("set_by", sa.String(length=80), nullable=False),
        sa.Column("set_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connector_id"],
            ["connector.id"],
            name=op.f("fk_connector_audience_connector_id_connector"),
            ondelete="cascade",
        ),
        sa.PrimaryKeyConstraint("connector_id", name=op.f("pk_connector_audience")),
    )
