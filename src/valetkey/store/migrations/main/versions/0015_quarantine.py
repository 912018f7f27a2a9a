"""An alert says where it was noticed, and what is in quarantine. Frozen: what comes later is another migration."""

import sqlalchemy as sa
from alembic import op

from valetkey.store.types import Instant

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("alert", sa.Column("connector", sa.String(length=40), server_default="", nullable=False))
    op.add_column("alert", sa.Column("call_id", sa.String(length=40), server_default="", nullable=False))
    op.add_column("connection", sa.Column("quarantined_at", Instant(), nullable=True))
    op.add_column("connector", sa.Column("quarantined_at", Instant(), nullable=True))
