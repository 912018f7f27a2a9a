"""The listing that a connector was made from. Frozen: what comes later is another migration."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("connector", sa.Column("listing", sa.String(length=24), server_default="", nullable=False))
    op.create_index(
        "uq_connector_listing",
        "connector",
        ["organization_id", "listing"],
        unique=True,
        sqlite_where=sa.text("listing != ''"),
        postgresql_where=sa.text("listing != ''"),
    )
