"""What requests about runs may say, and what the answers look like."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from shared.conversation.content import clean_json
from shared.errors import ClientError
from web.api.http.bodies import checked
from web.api.http.errors import ApiError
from web.payloads import MOST, Identifier, Payload, RunPayload

Status = Literal[
    "queued",
    "running",
    "waiting_for_approval",
    "stopping",
    "completed",
    "failed",
    "cancelled",
    "interrupted",
]
ListedStatus = Literal[
    "queued", "running", "stopping", "completed", "failed", "cancelled", "interrupted"
]
Choice = Literal["once", "session", "always", "deny"]

_ALIASES = {"approve": "once", "approved": "once", "allow": "once"}
_TRUE = {"1", "true", "yes", "on"}


class RunBody(RunPayload):
    """`POST /v1/runs`. `conversation_history` takes the place of the session's own messages, for
    this run."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"input": "Say hello."}]})

    conversation_history: Annotated[
        list[dict[str, Any]] | None, Field(description="Messages before the input.")
    ] = None
    previous_response_id: Annotated[Any, Field(description="Refused: name the session.")] = None

    def payload(self, session_id: str | None) -> RunPayload:
        """The same for the requests of all clients. `session_id`: from a header. Raises ApiError
        for what Holdfast does not do."""
        if self.previous_response_id:
            raise _unsupported("previous_response_id", "Send session_id to continue a session.")
        named = self.session_id or session_id
        fields = self.model_dump(exclude={"conversation_history", "previous_response_id"})
        if self.conversation_history:
            before = [] if named is not None else self.history()
            fields["input"] = [*before, _last_message(self.input)]
        return checked(RunPayload, {**fields, "session_id": named})

    def history(self) -> list[dict[str, Any]]:
        """The messages before the input, `{role, content}`. Raises ApiError for one without."""
        cleaned: list[dict[str, Any]] = clean_json(_history(self.conversation_history or []))
        return cleaned


def _unsupported(param: str, message: str) -> ClientError:
    return ApiError(400, "unsupported_parameter", message, param=param)


def _history(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for index, message in enumerate(messages):
        if "role" not in message or "content" not in message:
            raise ApiError(
                400,
                "invalid_payload",
                f"conversation_history[{index}] must have 'role' and 'content' fields",
                param="conversation_history",
            )
    return [
        {"role": str(message["role"]), "content": _content(message["content"])}
        for message in messages
    ]


def _content(value: Any) -> Any:
    return value if isinstance(value, str | list) else str(value)


def _last_message(given: str | list[dict[str, Any]]) -> dict[str, Any]:
    """The message that is answered; of a list of messages the last one, as gateways have it."""
    if isinstance(given, list) and "role" in given[-1]:
        return given[-1]
    return {"role": "user", "content": given}


def _choice(value: Any) -> Any:
    word = str(value).strip().lower()
    return _ALIASES.get(word, word)


def truth(value: Any) -> Any:
    """As the gateway takes it: true and false also as text."""
    return value.strip().lower() in _TRUE if isinstance(value, str) else value is True


class ApprovalBody(Payload):
    """`POST /v1/runs/{run_id}/approval`. Without `approval_id` the oldest open question is meant;
    `all`, or `resolve_all`, answers every open one."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"choice": "once"}]})

    choice: Annotated[Choice, BeforeValidator(_choice)]
    approval_id: Annotated[int, Field(ge=1, le=MOST)] | None = None
    all: Annotated[bool, BeforeValidator(truth)] = False
    resolve_all: Annotated[bool, BeforeValidator(truth)] = False


class Query(BaseModel):
    """A query; names that are not known are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class ProfileQuery(Query):
    """Whose gateway is meant."""

    profile: Annotated[str | None, Field(description="Name of a profile.")] = None


class ListQuery(Query):
    """`GET /v1/runs`."""

    profile: Annotated[
        Identifier | Literal[""] | None, Field(description="Only runs of this profile.")
    ] = None
    limit: Annotated[int, Field(ge=1, le=100, description="Runs of one page.")] = 20
    cursor: Annotated[str | None, Field(description="`next_cursor` of the page before.")] = None
    status: Annotated[
        ListedStatus | None,
        Field(description="Only runs with it; `running` includes those that wait for an answer."),
    ] = None
    session_id: Annotated[Identifier | None, Field(description="Only runs of this session.")] = None
    since: Annotated[float | None, Field(description="Made at that time or later, in epoch s.")] = (
        None
    )
    until: Annotated[float | None, Field(description="Made before that time, in epoch s.")] = None


class EventsQuery(Query):
    """`GET /v1/runs/{run_id}/events`: the position after which to go on, by any of these names."""

    last_event_id: Annotated[str | None, Field(description="The `id` of an event, or a seq.")] = (
        None
    )
    since: Annotated[str | None, Field(description="The same.")] = None
    cursor: Annotated[str | None, Field(description="The same.")] = None
    starting_after: Annotated[str | None, Field(description="The same.")] = None

    @property
    def position(self) -> str | None:
        """The one that is given."""
        given = (self.last_event_id, self.since, self.cursor, self.starting_after)
        return next((value for value in given if value), None)


class StartedRun(BaseModel):
    """The answer to `POST /v1/runs`."""

    run_id: str
    status: Literal["started"]


class StoppedRun(BaseModel):
    """The answer to a stop. `cancelled`: the run had not begun."""

    run_id: str
    status: Literal["stopping", "cancelled"]


class AnsweredApproval(BaseModel):
    """The answer to an approval. `resolved`: how many questions were answered."""

    object: Literal["hermes.run.approval_response"]
    run_id: str
    choice: Choice
    resolved: int
    approval_id: int


class Run(BaseModel):
    """A run. Fields without a value are left out."""

    object: Literal["hermes.run"]
    run_id: str
    status: Status
    created_at: float
    updated_at: float
    session_id: str
    model: str
    last_event: str | None = None
    output: str | None = None
    usage: dict[str, Any] | None = None
    error: str | None = None
    reason: str | None = None
    queue_position: int | None = None
    attempts: int


class RunList(BaseModel):
    """A page of runs, the newest first. Runs of a list have no `output`."""

    object: Literal["list"]
    data: list[Run]
    has_more: bool
    next_cursor: str | None
