"""What the answers about sessions look like."""

from typing import Any, Literal

from pydantic import BaseModel


class SessionInfo(BaseModel):
    """A session as the gateway shows one, and what only Holdfast knows of it. Times are epoch
    seconds."""

    id: str
    source: str
    user_id: str | None
    model: str | None
    title: str | None
    started_at: float
    ended_at: float | None
    end_reason: str | None
    message_count: int
    tool_call_count: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    estimated_cost_usd: float | None
    actual_cost_usd: float | None
    cost_status: str | None
    parent_session_id: str | None
    last_active: float
    preview: str | None
    has_system_prompt: bool
    has_model_config: bool
    profile: str
    workspace: str | None
    pinned: bool
    archived: bool
    stored_bytes: int


class SessionAnswer(BaseModel):
    """One session."""

    object: Literal["hermes.session"]
    session: SessionInfo


class Snippet(BaseModel):
    """A part of a message. `ranges`: beginning and end of what was found, in characters."""

    text: str
    ranges: list[tuple[int, int]]


class SessionMatch(BaseModel):
    """What a search found in a session: `messages` of its messages, of which the newest one is
    shown; only its title if there is none."""

    messages: int
    message_id: int | None
    role: str | None
    snippet: Snippet | None


class ListedSession(SessionInfo):
    """A session of a list; `match` with a search."""

    match: SessionMatch | None = None


class SessionList(BaseModel):
    """A page of sessions: pinned ones first, then those of the latest activity. `total`: on all
    pages. `complete`: false if a search looked at the newest part only."""

    object: Literal["list"]
    data: list[ListedSession]
    limit: int
    offset: int
    has_more: bool
    next_cursor: str | None
    total: int
    complete: bool


class DeletedSession(BaseModel):
    """The answer to a deletion."""

    object: Literal["hermes.session.deleted"]
    id: str
    deleted: Literal[True]


class DeletionResult(BaseModel):
    """What became of one session; `error`: the code why it was not deleted."""

    id: str
    deleted: bool
    error: str | None


class DeletedSessions(BaseModel):
    """The answer to a deletion of several."""

    object: Literal["list"]
    data: list[DeletionResult]


class SessionMessage(BaseModel):
    """A message as the gateway shows one, with its run. `error`, `duration`: of a tool, whether it
    failed and how many seconds it ran. `reasoning_duration`: seconds that an answer was thought
    about before it began."""

    id: int
    session_id: str
    role: str
    content: str
    content_blocks: list[Any] | None
    tool_call_id: str | None
    tool_calls: list[Any] | None
    tool_name: str | None
    timestamp: float
    token_count: int | None
    finish_reason: str | None
    reasoning: str | None
    reasoning_content: str | None
    run_id: str | None
    error: bool | None
    duration: float | None
    reasoning_duration: float | None


class TurnEnd(BaseModel):
    """How a turn ended that was not answered. `unconfirmed`: the gateway did not say that it
    stopped."""

    run_id: str
    status: Literal["failed", "aborted"]
    reason: str | None = None
    error: str | None = None
    unconfirmed: bool = False


class MessageList(BaseModel):
    """A page of messages, in order of time. `ends`: of those turns that were not answered."""

    object: Literal["list"]
    session_id: str
    data: list[SessionMessage]
    has_more: bool
    next_cursor: str | None
    ends: list[TurnEnd]


class SessionChatMessage(BaseModel):
    """The answer of the agent."""

    role: Literal["assistant"]
    content: str


class ChatAnswer(BaseModel):
    """The answer to a message."""

    object: Literal["hermes.session.chat.completion"]
    session_id: str
    run_id: str
    message: SessionChatMessage
    usage: dict[str, Any]
