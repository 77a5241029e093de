"""runs: which may start, in which order; owners: how far the rounds over them have come

Processes of the version before leave `due_no` empty: the reaper gives those runs their numbers.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

_DUE = sa.text("state = 'queued' AND due_no IS NOT NULL AND not_before IS NULL")
_PAUSED = sa.text("state = 'queued' AND not_before IS NOT NULL")
_NOT_DUE = sa.text("state = 'queued' AND due_no IS NULL")
_UNANNOUNCED = sa.text("announced_at IS NULL")

_INDEXES = {
    "runs_due": (["profile", "due_no", "created_at", "id"], _DUE),
    "runs_paused": (["not_before"], _PAUSED),
    "runs_not_due": (["created_at", "id"], _NOT_DUE),
    "runs_of_owner_not_done": (["owner", "state", "due_no"], _UNANNOUNCED),
}


def upgrade() -> None:
    op.add_column("runs", sa.Column("due_no", sa.BigInteger(), nullable=True))
    for name, (columns, where) in _INDEXES.items():
        op.create_index(name, "runs", columns, sqlite_where=where, postgresql_where=where)
    op.create_table(
        "owner_turns",
        sa.Column("owner", sa.String(length=255), primary_key=True),
        sa.Column("last_no", sa.BigInteger(), nullable=False),
    )
    op.create_index("owner_turns_by_no", "owner_turns", ["last_no"])


def downgrade() -> None:
    op.drop_table("owner_turns")
    for name in _INDEXES:
        op.drop_index(name, "runs")
    op.drop_column("runs", "due_no")
