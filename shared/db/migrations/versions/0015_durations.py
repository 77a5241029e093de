"""messages: how long tools ran and the agent reasoned, and which tools failed

Processes of the version before leave them empty in the turns that they store.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.add_column("messages", sa.Column("error", sa.Boolean(), nullable=True))
    op.add_column("messages", sa.Column("duration", sa.Double(), nullable=True))
    op.add_column("messages", sa.Column("reasoning_duration", sa.Double(), nullable=True))


def downgrade() -> None:
    for name in ("reasoning_duration", "duration", "error"):
        op.drop_column("messages", name)
