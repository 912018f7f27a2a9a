"""On whose domain an account is, where its organization takes those on its own only. Frozen, as every migration."""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("connection", sa.Column("account_domain", sa.String(length=255), nullable=False, server_default=""))
