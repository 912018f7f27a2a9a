"""From where what stands in the trail was asked. Frozen, as every migration."""

import sqlalchemy as sa
from alembic import op

from valetkey.store.types import Json

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("trail_event", sa.Column("asked", Json, nullable=True))
