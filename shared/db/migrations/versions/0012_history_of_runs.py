"""runs: the history that a request brings along

Processes of the version before leave it empty, and do not look at it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column("runs", sa.Column("history", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("runs", "history")
