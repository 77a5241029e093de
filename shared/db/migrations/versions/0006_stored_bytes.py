"""sessions: how many bytes each one holds, a running sum

Filling it reads all messages once. Processes of the version before go on; what they add is not
counted.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_TEXTS = ("content", "reasoning", "reasoning_details", "reasoning_content", "codex_reasoning_items")
_JSON = ("content_blocks", "tool_calls")


def upgrade() -> None:
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("stored_bytes", sa.BigInteger(), nullable=False, server_default="0")
        )
    messages = " + ".join(f"coalesce({_length(name)}, 0)" for name in (*_TEXTS, *_JSON))
    op.execute(
        f"""
        UPDATE sessions SET stored_bytes = coalesce((
            SELECT sum({messages}) FROM messages
            WHERE messages.owner = sessions.owner AND messages.session_id = sessions.id
        ), 0) + coalesce((
            SELECT sum({_length("input")}) FROM runs
            WHERE runs.owner = sessions.owner AND runs.session_id = sessions.id
        ), 0)
        """  # noqa: S608 - names of columns
    )


def downgrade() -> None:
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.drop_column("stored_bytes")


def _length(name: str) -> str:
    text = f"nullif(CAST({name} AS TEXT), 'null')" if name in _JSON else f"CAST({name} AS TEXT)"
    if op.get_bind().dialect.name == "sqlite":
        return f"length(CAST({text} AS BLOB))"
    return f"octet_length({text})"
