"""The first schema."""

from alembic import op

from valetkey.store import schema

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    schema.keyring.create_all(op.get_bind())
