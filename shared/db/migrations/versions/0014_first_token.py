"""runs: when the first text came, and an index that has all which counts and plots need

Processes of the version before leave the time empty in the runs that they end.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

_ENDED = sa.text("ended_at IS NOT NULL")


def upgrade() -> None:
    op.add_column("runs", sa.Column("first_token_at", sa.Double(), nullable=True))
    op.create_index(
        "runs_ended",
        "runs",
        [
            "created_at",
            "owner",
            "profile",
            "state",
            "reason",
            "first_claimed_at",
            "first_token_at",
            "ended_at",
        ],
        sqlite_where=_ENDED,
        postgresql_where=_ENDED,
    )


def downgrade() -> None:
    op.drop_index("runs_ended", "runs")
    op.drop_column("runs", "first_token_at")
