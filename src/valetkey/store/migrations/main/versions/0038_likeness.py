"""How a picture looks, told once when it is handed in. Frozen, as every migration."""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("submission_picture", sa.Column("likeness", sa.String(80), nullable=True))
