"""runs: the timeline, and indexes by which operators list them; usage: an index by owner and time

Processes of the version before leave the timeline of the runs that they end empty.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

_FAILED = sa.text("state = 'failed'")


def upgrade() -> None:
    op.add_column("runs", sa.Column("timeline", sa.JSON(), nullable=True))
    op.create_index("runs_of_all_by_time", "runs", ["created_at", "id"])
    op.create_index(
        "runs_failed",
        "runs",
        ["created_at", "id"],
        sqlite_where=_FAILED,
        postgresql_where=_FAILED,
    )
    op.create_index("usage_of_owner", "session_usage", ["owner", "created_at"])


def downgrade() -> None:
    op.drop_index("usage_of_owner", "session_usage")
    op.drop_index("runs_failed", "runs")
    op.drop_index("runs_of_all_by_time", "runs")
    op.drop_column("runs", "timeline")
