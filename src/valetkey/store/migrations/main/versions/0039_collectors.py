"""A header for collectors, and what they refused for good. Frozen, as every migration."""

import sqlalchemy as sa
from alembic import op

from valetkey.store.types import BigInt

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("feed", sa.Column("header", sa.String(64), nullable=False, server_default=""))
    op.add_column("feed", sa.Column("missed_after", BigInt, nullable=True))
