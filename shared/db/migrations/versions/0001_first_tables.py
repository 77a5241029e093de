"""first tables"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "approvals",
        sa.Column("run_id", sa.String(length=255), nullable=False),
        sa.Column("approval_id", sa.Integer(), nullable=False),
        sa.Column("choice", sa.String(length=16), nullable=False),
        sa.Column("answered_at", sa.Double(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("run_id", "approval_id"),
    )
    op.create_table(
        "chases",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("run_id", sa.String(length=255), nullable=False),
        sa.Column("profile", sa.String(length=255), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("ephemeral_id", sa.String(length=255), nullable=False),
        sa.Column("gateway_run_id", sa.Text(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("next_at", sa.Double(), nullable=False),
        sa.Column("done_at", sa.Double(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("chases", schema=None) as batch_op:
        batch_op.create_index("chases_due", ["done_at", "next_at"], unique=False)

    op.create_table(
        "compression_snapshots",
        sa.Column("owner", sa.String(length=255), nullable=False),
        sa.Column("session_id", sa.String(length=255), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("summary_tokens", sa.Integer(), nullable=False),
        sa.Column("last_turn_no", sa.Integer(), nullable=False),
        sa.Column("covered_count", sa.Integer(), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("owner", "session_id"),
    )
    op.create_table(
        "pending_session_deletes",
        sa.Column("profile_name", sa.String(length=255), nullable=False),
        sa.Column("session_id", sa.String(length=255), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("attempt_count", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.Column("next_attempt_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("profile_name", "session_id"),
    )
    with op.batch_alter_table("pending_session_deletes", schema=None) as batch_op:
        batch_op.create_index("deletes_due", ["status", "next_attempt_at"], unique=False)

    op.create_table(
        "run_attempts",
        sa.Column("run_id", sa.String(length=255), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("ephemeral_id", sa.String(length=255), nullable=False),
        sa.Column("profile", sa.String(length=255), nullable=False),
        sa.Column("intent_at", sa.Double(), nullable=True),
        sa.Column("never_sent", sa.Boolean(), nullable=False),
        sa.Column("gateway_pid", sa.Integer(), nullable=True),
        sa.Column("gateway_run_id", sa.Text(), nullable=True),
        sa.Column("stream_opened", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "fence"),
    )
    op.create_table(
        "runs",
        sa.Column("id", sa.String(length=255), nullable=False),
        sa.Column("owner", sa.String(length=255), nullable=False),
        sa.Column("session_id", sa.String(length=255), nullable=True),
        sa.Column("profile", sa.String(length=255), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("input", sa.JSON(), nullable=False),
        sa.Column("instructions", sa.Text(), nullable=True),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("client_request_id", sa.String(length=255), nullable=True),
        sa.Column("payload_hash", sa.String(length=64), nullable=False),
        sa.Column("queue_no", sa.BigInteger(), nullable=False),
        sa.Column("turn_no", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("enqueued_at", sa.Double(), nullable=True),
        sa.Column("not_before", sa.Double(), nullable=True),
        sa.Column("first_claimed_at", sa.Double(), nullable=True),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("lease_until", sa.Double(), nullable=True),
        sa.Column("takeovers", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("last_seq", sa.Integer(), nullable=False),
        sa.Column("stop_requested_at", sa.Double(), nullable=True),
        sa.Column("stop_reason", sa.Text(), nullable=True),
        sa.Column("ended_at", sa.Double(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("output", sa.Text(), nullable=True),
        sa.Column("usage", sa.JSON(), nullable=True),
        sa.Column("terminal_entries", sa.JSON(), nullable=True),
        sa.Column("terminal_seq", sa.Integer(), nullable=True),
        sa.Column("announced_at", sa.Double(), nullable=True),
        sa.Column("gateway_synced", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.create_index(
            "one_live_run_per_session",
            ["owner", "session_id"],
            unique=True,
            sqlite_where=sa.text("state IN ('running','stopping') AND session_id IS NOT NULL"),
            postgresql_where=sa.text("state IN ('running','stopping') AND session_id IS NOT NULL"),
        )
        batch_op.create_index(
            "runs_not_done",
            ["state", "lease_until"],
            unique=False,
            sqlite_where=sa.text("announced_at IS NULL"),
            postgresql_where=sa.text("announced_at IS NULL"),
        )
        batch_op.create_index("runs_of_session", ["owner", "session_id", "queue_no"], unique=False)
    op.create_index(
        "one_run_per_client_request",
        "runs",
        ["owner", sa.text("coalesce(session_id, '-')"), "client_request_id"],
        unique=True,
    )

    op.create_table(
        "session_usage",
        sa.Column("run_id", sa.String(length=255), nullable=False),
        sa.Column("owner", sa.String(length=255), nullable=False),
        sa.Column("session_id", sa.String(length=255), nullable=True),
        sa.Column("profile", sa.String(length=255), nullable=False),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cache_read_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cache_write_tokens", sa.BigInteger(), nullable=False),
        sa.Column("reasoning_tokens", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("run_id"),
    )
    with op.batch_alter_table("session_usage", schema=None) as batch_op:
        batch_op.create_index("usage_of_session", ["owner", "session_id"], unique=False)

    op.create_table(
        "sessions",
        sa.Column("owner", sa.String(length=255), nullable=False),
        sa.Column("id", sa.String(length=255), nullable=False),
        sa.Column("profile", sa.String(length=255), nullable=False),
        sa.Column("source", sa.String(length=255), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=True),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("started_at", sa.Double(), nullable=False),
        sa.Column("ended_at", sa.Double(), nullable=True),
        sa.Column("end_reason", sa.Text(), nullable=True),
        sa.Column("last_active", sa.Double(), nullable=False),
        sa.Column("preview", sa.Text(), nullable=True),
        sa.Column("workspace", sa.Text(), nullable=True),
        sa.Column("message_count", sa.Integer(), nullable=False),
        sa.Column("tool_call_count", sa.Integer(), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cache_read_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cache_write_tokens", sa.BigInteger(), nullable=False),
        sa.Column("reasoning_tokens", sa.BigInteger(), nullable=False),
        sa.Column("billing_provider", sa.Text(), nullable=True),
        sa.Column("estimated_cost_usd", sa.Double(), nullable=True),
        sa.Column("actual_cost_usd", sa.Double(), nullable=True),
        sa.Column("cost_status", sa.Text(), nullable=True),
        sa.Column("next_turn", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("owner", "id"),
    )
    op.create_table(
        "messages",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("owner", sa.String(length=255), nullable=False),
        sa.Column("session_id", sa.String(length=255), nullable=False),
        sa.Column("run_id", sa.String(length=255), nullable=True),
        sa.Column("turn_no", sa.Integer(), nullable=True),
        sa.Column("idx", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("content_blocks", sa.JSON(), nullable=True),
        sa.Column("tool_call_id", sa.Text(), nullable=True),
        sa.Column("tool_calls", sa.JSON(), nullable=True),
        sa.Column("tool_name", sa.Text(), nullable=True),
        sa.Column("timestamp", sa.Double(), nullable=False),
        sa.Column("token_count", sa.Integer(), nullable=True),
        sa.Column("finish_reason", sa.Text(), nullable=True),
        sa.Column("reasoning", sa.Text(), nullable=True),
        sa.Column("reasoning_details", sa.Text(), nullable=True),
        sa.Column("reasoning_content", sa.Text(), nullable=True),
        sa.Column("codex_reasoning_items", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["owner", "session_id"], ["sessions.owner", "sessions.id"], ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("messages", schema=None) as batch_op:
        batch_op.create_index(
            "messages_in_order", ["owner", "session_id", "turn_no", "idx"], unique=False
        )
        batch_op.create_index("messages_of_run", ["run_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("messages", schema=None) as batch_op:
        batch_op.drop_index("messages_of_run")
        batch_op.drop_index("messages_in_order")

    op.drop_table("messages")
    op.drop_table("sessions")
    with op.batch_alter_table("session_usage", schema=None) as batch_op:
        batch_op.drop_index("usage_of_session")

    op.drop_table("session_usage")
    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.drop_index("runs_of_session")
        batch_op.drop_index(
            "runs_not_done",
            sqlite_where=sa.text("announced_at IS NULL"),
            postgresql_where=sa.text("announced_at IS NULL"),
        )
        batch_op.drop_index(
            "one_live_run_per_session",
            sqlite_where=sa.text("state IN ('running','stopping') AND session_id IS NOT NULL"),
            postgresql_where=sa.text("state IN ('running','stopping') AND session_id IS NOT NULL"),
        )

    op.drop_table("runs")
    op.drop_table("run_attempts")
    with op.batch_alter_table("pending_session_deletes", schema=None) as batch_op:
        batch_op.drop_index("deletes_due")

    op.drop_table("pending_session_deletes")
    op.drop_table("compression_snapshots")
    with op.batch_alter_table("chases", schema=None) as batch_op:
        batch_op.drop_index("chases_due")

    op.drop_table("chases")
    op.drop_table("approvals")
