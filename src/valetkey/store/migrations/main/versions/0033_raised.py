"""What an owner says that a connector and its tools are at least. Frozen, as every migration."""

import sqlalchemy as sa
from alembic import op

from valetkey.store.types import Json

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("connector", sa.Column("raised", Json, nullable=False, server_default="{}"))
