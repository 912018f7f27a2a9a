"""The last use of a session while its administrative powers lasted. Frozen: what comes later is another migration."""

import sqlalchemy as sa
from alembic import op

from valetkey.store.types import Instant

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Powers of the sessions there are rest: long ago is the one instant that is safe to assume.
    long_ago = "1970-01-01T00:00:00Z" if op.get_context().dialect.name == "postgresql" else "0"
    op.add_column("browser_session", sa.Column("powers_seen_at", Instant(), nullable=False, server_default=long_ago))
