"""The tables. Times are epoch seconds of the clock of the database (R12)."""

from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    ColumnElement,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    Text,
    false,
    func,
    literal_column,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, configure_mappers, mapped_column

from shared.db.search.terms_type import Terms
from shared.protocol.run_states import LIVE, RunState

BigId = BigInteger().with_variant(Integer(), "sqlite")  # only INTEGER counts up by itself there
Id = String(255)
LIVE_STATES = ",".join(f"'{state}'" for state in RunState if state in LIVE)  # as SQL
# What stands for "no session" where NULL cannot: the only text that is no session's id. As SQL, so
# that the database recognises the expression of its index in queries.
NO_SESSION: ColumnElement[str] = literal_column("''")
UNINDEXED: ColumnElement[bool] = literal_column("indexed_by IS NULL")
IS_FAILED: ColumnElement[bool] = literal_column(f"state = '{RunState.FAILED}'")
HAS_ENDED: ColumnElement[bool] = literal_column("ended_at IS NOT NULL")
UNINDEXED_TITLE: ColumnElement[bool] = literal_column("title_indexed_by IS NULL AND title <> ''")
_LIVE_IN_SESSION = text(f"state IN ({LIVE_STATES}) AND session_id IS NOT NULL")
# Conditions of the indexes of the queue. Queries use the same expressions, so that the database
# recognises its indexes (shared.db.runs.queue.fair_order).
IS_DUE: ColumnElement[bool] = literal_column(
    f"state = '{RunState.QUEUED}' AND due_no IS NOT NULL AND not_before IS NULL"
)
IS_PAUSED: ColumnElement[bool] = literal_column(
    f"state = '{RunState.QUEUED}' AND not_before IS NOT NULL"
)
IS_NOT_DUE: ColumnElement[bool] = literal_column(f"state = '{RunState.QUEUED}' AND due_no IS NULL")
_IS_UNANNOUNCED = text("announced_at IS NULL")


class Base(DeclarativeBase):
    """Column types that all tables share: JSON for dicts and lists, double precision for float."""

    type_annotation_map: ClassVar = {
        dict[str, Any]: JSON,
        list[Any]: JSON,
        float: Double,
        str: Text,
    }


class SessionRow(Base):
    """One conversation of one owner. Its row is locked before its runs or messages change (R11).

    `title_indexed_by`: the version of the rules by which the title was made searchable; NULL: it
    was not, because a process of the version before wrote it.
    """

    __tablename__ = "sessions"
    __table_args__ = (
        Index("sessions_by_activity", "owner", "pinned", "last_active", "id", "archived"),
        Index(
            "sessions_unindexed",
            "owner",
            sqlite_where=UNINDEXED_TITLE,
            postgresql_where=UNINDEXED_TITLE,
        ),
    )

    owner: Mapped[str] = mapped_column(Id, primary_key=True)
    id: Mapped[str] = mapped_column(Id, primary_key=True)
    profile: Mapped[str] = mapped_column(Id)
    source: Mapped[str] = mapped_column(Id, default="chat")
    user_id: Mapped[str | None]
    model: Mapped[str | None]
    title: Mapped[str | None]
    started_at: Mapped[float]
    ended_at: Mapped[float | None]
    end_reason: Mapped[str | None]
    last_active: Mapped[float]
    preview: Mapped[str | None]
    workspace: Mapped[str | None]
    message_count: Mapped[int] = mapped_column(default=0)
    tool_call_count: Mapped[int] = mapped_column(default=0)
    input_tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    output_tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    cache_read_tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    cache_write_tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    reasoning_tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    billing_provider: Mapped[str | None]
    estimated_cost_usd: Mapped[float | None]
    actual_cost_usd: Mapped[float | None]
    cost_status: Mapped[str | None]
    next_turn: Mapped[int] = mapped_column(default=1)
    stored_bytes: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    pinned: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    archived: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    parent_session_id: Mapped[str | None] = mapped_column(Id)  # it was copied from; may be gone
    title_indexed_by: Mapped[int | None]


class MessageRow(Base):
    """One message. `turn_no` is NULL while the run that will answer it is queued (R23).

    `error`, `duration`: whether the tool failed, and seconds that it ran. `reasoning_duration`:
    seconds from the first word of reasoning to what followed. NULL where nobody watched.
    `indexed_by`: the version of the rules by which it was made searchable; NULL: not yet.
    """

    __tablename__ = "messages"
    __table_args__ = (
        ForeignKeyConstraint(
            ["owner", "session_id"], ["sessions.owner", "sessions.id"], ondelete="CASCADE"
        ),
        Index("messages_in_order", "owner", "session_id", "turn_no", "idx"),
        Index("messages_of_run", "run_id"),
        Index("messages_unindexed", "id", sqlite_where=UNINDEXED, postgresql_where=UNINDEXED),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    owner: Mapped[str] = mapped_column(Id)
    session_id: Mapped[str] = mapped_column(Id)
    run_id: Mapped[str | None] = mapped_column(Id)
    turn_no: Mapped[int | None]
    idx: Mapped[int]
    role: Mapped[str] = mapped_column(String(32))
    content: Mapped[str] = mapped_column(default="")
    content_blocks: Mapped[list[Any] | None]
    tool_call_id: Mapped[str | None]
    tool_calls: Mapped[list[Any] | None]
    tool_name: Mapped[str | None]
    timestamp: Mapped[float]
    token_count: Mapped[int | None]
    finish_reason: Mapped[str | None]
    reasoning: Mapped[str | None]
    reasoning_details: Mapped[str | None]
    reasoning_content: Mapped[str | None]
    codex_reasoning_items: Mapped[str | None]
    error: Mapped[bool | None]
    duration: Mapped[float | None]
    reasoning_duration: Mapped[float | None]
    indexed_by: Mapped[int | None]


class MessageTermsRow(Base):
    """The terms by which a message is found (shared/conversation/search_terms.py).

    The migration makes what searches them, since it differs: on PostgreSQL a GIN index, on SQLite
    the FTS5 table `message_fts`, which triggers keep.
    """

    __tablename__ = "message_terms"

    message_id: Mapped[int] = mapped_column(
        BigId, ForeignKey("messages.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    owner: Mapped[str] = mapped_column(Id)
    session_id: Mapped[str] = mapped_column(Id)
    terms: Mapped[str] = mapped_column(Terms)


class TitleTermsRow(Base):
    """The terms by which a session is found by its title; kept as those of messages are."""

    __tablename__ = "title_terms"
    __table_args__ = (
        ForeignKeyConstraint(
            ["owner", "session_id"], ["sessions.owner", "sessions.id"], ondelete="CASCADE"
        ),
        Index("title_terms_of_session", "owner", "session_id", unique=True),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    owner: Mapped[str] = mapped_column(Id)
    session_id: Mapped[str] = mapped_column(Id)
    terms: Mapped[str] = mapped_column(Terms)


class RunRow(Base):
    """One turn: its input, its place in the queue, its owner, its log, its end.

    `runs_ended` has all that counts and plots need, so that they read no row, which may be large.
    A run comes into it once, with its end.
    """

    __tablename__ = "runs"
    __table_args__ = (
        Index(
            "one_live_run_per_session",
            "owner",
            "session_id",
            unique=True,
            sqlite_where=_LIVE_IN_SESSION,
            postgresql_where=_LIVE_IN_SESSION,
        ),
        Index(
            "one_run_per_request",
            "owner",
            func.coalesce(text("session_id"), NO_SESSION),
            "client_request_id",
            unique=True,
        ),
        Index("runs_of_session", "owner", "session_id", "queue_no"),
        Index("runs_by_time", "owner", "created_at", "id"),
        Index("runs_of_all_by_time", "created_at", "id"),
        Index(
            "runs_failed", "created_at", "id", sqlite_where=IS_FAILED, postgresql_where=IS_FAILED
        ),
        Index(
            "runs_ended",
            "created_at",
            "owner",
            "profile",
            "state",
            "reason",
            "first_claimed_at",
            "first_token_at",
            "ended_at",
            sqlite_where=HAS_ENDED,
            postgresql_where=HAS_ENDED,
        ),
        Index(
            "runs_not_done",
            "state",
            "lease_until",
            sqlite_where=_IS_UNANNOUNCED,
            postgresql_where=_IS_UNANNOUNCED,
        ),
        Index(
            "runs_due",
            "profile",
            "due_no",
            "created_at",
            "id",
            sqlite_where=IS_DUE,
            postgresql_where=IS_DUE,
        ),
        Index("runs_paused", "not_before", sqlite_where=IS_PAUSED, postgresql_where=IS_PAUSED),
        Index(
            "runs_not_due",
            "created_at",
            "id",
            sqlite_where=IS_NOT_DUE,
            postgresql_where=IS_NOT_DUE,
        ),
        Index(
            "runs_of_owner_not_done",
            "owner",
            "state",
            "due_no",
            sqlite_where=_IS_UNANNOUNCED,
            postgresql_where=_IS_UNANNOUNCED,
        ),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    owner: Mapped[str] = mapped_column(Id)
    session_id: Mapped[str | None] = mapped_column(Id)
    profile: Mapped[str] = mapped_column(Id)
    state: Mapped[str] = mapped_column(String(16))
    input: Mapped[Any] = mapped_column(JSON)  # text, blocks or messages, as the client sent it
    # messages that this run goes on from, in place of those of its session
    history: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True))
    instructions: Mapped[str | None]
    model: Mapped[str | None]
    client_request_id: Mapped[str | None] = mapped_column(Id)
    payload_hash: Mapped[str] = mapped_column(String(64))
    # its place in the queue
    queue_no: Mapped[int] = mapped_column(BigInteger)
    turn_no: Mapped[int | None]
    created_at: Mapped[float]
    enqueued_at: Mapped[float | None]
    due_no: Mapped[int | None] = mapped_column(BigInteger)  # its place among all that may start
    not_before: Mapped[float | None]
    first_claimed_at: Mapped[float | None]
    first_token_at: Mapped[float | None]  # by its worker's clock; written with its end
    # its owner
    worker: Mapped[str | None]
    fence: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[float | None]
    takeovers: Mapped[int] = mapped_column(default=0)
    # its log
    epoch: Mapped[int] = mapped_column(default=1)
    last_seq: Mapped[int] = mapped_column(default=0)
    # a request to stop it
    stop_requested_at: Mapped[float | None]
    stop_reason: Mapped[str | None]
    # its end
    ended_at: Mapped[float | None]
    reason: Mapped[str | None]
    output: Mapped[str | None]
    usage: Mapped[dict[str, Any] | None]
    terminal_entries: Mapped[list[Any] | None]  # [[event, payload], …]; the last one is terminal
    terminal_seq: Mapped[int | None]
    announced_at: Mapped[float | None]
    gateway_synced: Mapped[bool] = mapped_column(Boolean, default=False)
    # what a worker saw of it (shared.protocol.timeline); read only where it is asked for
    timeline: Mapped[dict[str, Any] | None] = mapped_column(JSON, deferred=True)


class OwnerTurnRow(Base):
    """How far the rounds over the owners have come: the `due_no` of the owner's run that was
    claimed last (shared.db.runs.queue.fair_order)."""

    __tablename__ = "owner_turns"
    __table_args__ = (Index("owner_turns_by_no", "last_no"),)

    owner: Mapped[str] = mapped_column(Id, primary_key=True)
    last_no: Mapped[int] = mapped_column(BigInteger)


class IdempotencyKeyRow(Base):
    """The run that was made for an `Idempotency-Key` of an owner; `key` is its hash."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index("idempotency_keys_of_run", "run_id"),)

    owner: Mapped[str] = mapped_column(Id, primary_key=True)
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    body_hash: Mapped[str] = mapped_column(String(64))
    run_id: Mapped[str] = mapped_column(Id)
    created_at: Mapped[float]


class ResponseRow(Base):
    """A run that was asked for as a response of OpenAI's API, and may be read as one. It goes with
    the row of the run, whoever deletes that."""

    __tablename__ = "responses"

    run_id: Mapped[str] = mapped_column(
        Id, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True
    )
    previous_run_id: Mapped[str | None] = mapped_column(Id)  # of the response that it continues
    conversation: Mapped[str | None] = mapped_column(Id)  # as the client named it
    background: Mapped[bool] = mapped_column(Boolean, default=False)
    extras: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))  # `metadata`
    first_turn: Mapped[int | None]  # the turn of the messages that came before its prompt
    streamed: Mapped[list[Any] | None] = mapped_column(
        JSON(none_as_null=True)
    )  # what its log had at the end: shared.protocol.streamed


class AttemptRow(Base):
    """One POST of a run to its gateway, written down before the request is sent (R3)."""

    __tablename__ = "run_attempts"

    run_id: Mapped[str] = mapped_column(Id, primary_key=True)
    fence: Mapped[int] = mapped_column(primary_key=True)
    ephemeral_id: Mapped[str] = mapped_column(Id)
    profile: Mapped[str] = mapped_column(Id)
    intent_at: Mapped[float | None]
    never_sent: Mapped[bool] = mapped_column(Boolean, default=False)
    gateway_pid: Mapped[int | None]
    gateway_run_id: Mapped[str | None]
    stream_opened: Mapped[bool] = mapped_column(Boolean, default=False)
    proved_absent_at: Mapped[float | None]  # the gateway never had it, so it was posted again (R2)
    proof: Mapped[str | None] = mapped_column(String(16))  # see shared.db.runs.attempts
    double_post: Mapped[bool] = mapped_column(
        Boolean, default=False
    )  # the gateway had another one, too (R3)


class ApprovalRow(Base):
    """The answer of a person to a question of the agent; the first one counts (R10)."""

    __tablename__ = "approvals"

    run_id: Mapped[str] = mapped_column(Id, primary_key=True)
    approval_id: Mapped[int] = mapped_column(primary_key=True)  # seq of the approval.request
    choice: Mapped[str] = mapped_column(String(16))
    answered_at: Mapped[float]
    outcome: Mapped[str | None]  # see shared.db.runs.approvals


class OrphanRow(Base):
    """A gateway run that outlived ours and still has to be stopped or found (R2, R9)."""

    __tablename__ = "chases"  # the former name: in a rolling upgrade old processes use it, too
    __table_args__ = (
        Index("chases_due", "done_at", "next_at"),
        Index("chases_of_run", "run_id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    run_id: Mapped[str] = mapped_column(Id)
    profile: Mapped[str] = mapped_column(Id)
    kind: Mapped[str] = mapped_column(String(32))  # stop | uncertain_post
    ephemeral_id: Mapped[str] = mapped_column(Id)
    gateway_run_id: Mapped[str | None]
    tries: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[float]
    next_at: Mapped[float]
    done_at: Mapped[float | None]
    outcome: Mapped[str | None]


class UsageRow(Base):
    """The tokens and costs of one run, as its gateway counted them."""

    __tablename__ = "session_usage"
    __table_args__ = (
        Index("usage_of_session", "owner", "session_id"),
        Index("usage_of_owner", "owner", "created_at"),
        Index("usage_by_time", "created_at"),
    )

    run_id: Mapped[str] = mapped_column(Id, primary_key=True)
    owner: Mapped[str] = mapped_column(Id)
    session_id: Mapped[str | None] = mapped_column(Id)
    profile: Mapped[str] = mapped_column(Id)
    model: Mapped[str | None]
    input_tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    output_tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    cache_read_tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    cache_write_tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    reasoning_tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    billing_provider: Mapped[str | None]
    estimated_cost_usd: Mapped[float | None]
    actual_cost_usd: Mapped[float | None]
    cost_status: Mapped[str | None]
    created_at: Mapped[float]


class SnapshotRow(Base):
    """The stored summary of the older turns of a session (R23).

    `summary_tokens` counts the summary as it is sent, with its introduction.
    """

    __tablename__ = "compression_snapshots"

    owner: Mapped[str] = mapped_column(Id, primary_key=True)
    session_id: Mapped[str] = mapped_column(Id, primary_key=True)
    version: Mapped[int] = mapped_column(default=1)
    summary: Mapped[str]
    summary_tokens: Mapped[int]
    last_turn_no: Mapped[int]
    covered_count: Mapped[int]
    content_hash: Mapped[str] = mapped_column(String(64))
    updated_at: Mapped[float]


class CompressionRow(Base):
    """One compression: what triggered it, which turns it summarized, how it ended.

    Tokens are those of the session, as P22 counts them: `trigger_tokens` exceeded `threshold`;
    `after_tokens` remained. Messages are those that are sent before and after it.
    """

    __tablename__ = "compressions"
    __table_args__ = (Index("compressions_of_session", "owner", "session_id", "id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    owner: Mapped[str] = mapped_column(Id)
    session_id: Mapped[str] = mapped_column(Id)
    run_id: Mapped[str] = mapped_column(Id)
    fence: Mapped[int]
    profile: Mapped[str] = mapped_column(Id)
    kind: Mapped[str] = mapped_column(String(16))  # full | incremental
    trigger_tokens: Mapped[int] = mapped_column(BigInteger)
    threshold: Mapped[int] = mapped_column(BigInteger)
    after_tokens: Mapped[int | None] = mapped_column(BigInteger)
    before_messages: Mapped[int]
    after_messages: Mapped[int | None]
    first_turn: Mapped[int]
    last_turn: Mapped[int]
    result: Mapped[str | None] = mapped_column(String(16))  # NULL while it is under way
    error: Mapped[str | None]
    ephemeral_id: Mapped[str] = mapped_column(Id)
    gateway_run_id: Mapped[str | None]
    started_at: Mapped[float]
    ended_at: Mapped[float | None]
    duration: Mapped[float | None]


class DeletionRow(Base):
    """An ephemeral session at a gateway that the maintenance worker will delete (R25)."""

    __tablename__ = "pending_session_deletes"
    __table_args__ = (Index("deletes_due", "status", "next_attempt_at"),)

    profile_name: Mapped[str] = mapped_column(Id, primary_key=True)
    session_id: Mapped[str] = mapped_column(Id, primary_key=True)
    status: Mapped[str] = mapped_column(String(16), default="pending")
    attempt_count: Mapped[int] = mapped_column(default=0)
    last_error: Mapped[str | None]
    created_at: Mapped[float]
    updated_at: Mapped[float]
    next_attempt_at: Mapped[float]


class InstallationSecretRow(Base):
    """A secret that this installation made for itself, and that all its processes share."""

    __tablename__ = "installation_secrets"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str]
    created_at: Mapped[float]


class SignedOutRow(Base):
    """A browser's cookie that was signed out before its time."""

    __tablename__ = "signed_out_cookies"
    __table_args__ = (Index("signed_out_until", "until"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    until: Mapped[float]  # when the cookie would have ended by itself


# Now, since the first use would do it under a lock that does not work between OS threads.
configure_mappers()
