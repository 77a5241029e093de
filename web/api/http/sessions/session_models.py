"""What requests about sessions may say."""

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)

from shared.db.sessions.list_sessions import LIMIT, MOST, Filter
from shared.identifiers import is_fit
from web.api.http.bodies import checked
from web.api.http.errors import ApiError
from web.api.http.run_models import Query
from web.payloads import MOST as LARGEST
from web.payloads import Identifier, LongText, Payload, RunPayload, ShortText

PAGE: int = 500  # messages of one page, at most
BATCH: int = 100  # sessions that one request deletes, at most

_FLAGS = {"true": True, "false": False, "1": True, "0": False, "any": None}


def _fit(value: str) -> str:
    if not is_fit(value):
        raise ValueError("must not contain control characters")
    return value


def _at_most(most: int) -> BeforeValidator:
    """A larger number is taken for the largest one, as gateways do it."""

    def cap(value: Any) -> Any:
        is_number = isinstance(value, str) and value.isascii() and value.isdigit()
        return most if is_number and (len(value) > 9 or int(value) > most) else value

    return BeforeValidator(cap)


Workspace = Annotated[str, StringConstraints(max_length=4096), AfterValidator(_fit)]
Model = Annotated[str, StringConstraints(max_length=255), AfterValidator(_fit)]
Title = Annotated[str, StringConstraints(max_length=1000)]
Flag = Literal["true", "false", "1", "0"]
AnyFlag = Literal["true", "false", "1", "0", "any"]


class SessionsQuery(Query):
    """`GET /api/sessions`."""

    limit: Annotated[
        int, _at_most(MOST), Field(ge=1, le=MOST, description="Sessions of one page.")
    ] = LIMIT
    offset: Annotated[
        int,
        _at_most(1_000_000),
        Field(ge=0, le=1_000_000, description="Sessions to leave out; `cursor` is better."),
    ] = 0
    cursor: Annotated[str | None, Field(description="`next_cursor` of the page before.")] = None
    q: Annotated[
        str | None,
        Field(max_length=1000, description="Words that the title, or one message, has all of."),
    ] = None
    archived: Annotated[AnyFlag, Field(description="`any`: archived ones, too.")] = "false"
    pinned: Annotated[Flag | None, Field(description="Only pinned ones, or only others.")] = None
    profile: Annotated[Identifier | None, Field(description="Only of this profile.")] = None
    workspace: Annotated[Workspace | None, Field(description="Only of this workspace.")] = None
    source: Annotated[Identifier | None, Field(description="Only of this source.")] = None

    @property
    def only(self) -> Filter:
        """The filters."""
        return Filter(
            archived=_FLAGS[self.archived],
            pinned=_FLAGS[self.pinned] if self.pinned else None,
            profile=self.profile,
            workspace=self.workspace or None,
            source=self.source,
        )


class NewSessionBody(Payload):
    """`POST /api/sessions`. Without an id it gets one."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"title": "Plans"}]})

    id: Any = None
    session_id: Any = None
    title: Title | None = None
    model: Model | None = None
    profile: Identifier | None = None
    workspace: Workspace | None = None
    pinned: bool = False
    archived: bool = False
    ephemeral: Annotated[
        bool, Field(description="Delete it when it was not used for EPHEMERAL_SECONDS.")
    ] = False
    system_prompt: Any = None


class SessionChangesBody(BaseModel):
    """`PATCH /api/sessions/{session_id}`: what is given is changed; null takes it away."""

    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, json_schema_extra={"examples": [{"pinned": True}]}
    )

    title: Title | None = None
    pinned: bool = False
    archived: bool = False
    workspace: Workspace | None = None
    model: Model | None = None
    profile: Identifier = "default"
    end_reason: Model | None = None


class ForkBody(Payload):
    """`POST /api/sessions/{session_id}/fork`. `up_to`: the id of the last message of the copy."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"title": "Another plan"}]})

    id: Any = None
    session_id: Any = None
    title: Title | None = None
    up_to: Annotated[int, Field(ge=1, le=LARGEST)] | None = None


class DeleteBody(Payload):
    """`POST /api/sessions/delete`."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"ids": ["s1"]}]})

    ids: Annotated[list[str], Field(min_length=1, max_length=BATCH)]


class MessagesQuery(Query):
    """`GET /api/sessions/{session_id}/messages`."""

    limit: Annotated[
        int, _at_most(PAGE), Field(ge=1, le=PAGE, description="Messages of one page.")
    ] = PAGE
    since: Annotated[
        Literal["end", "start"],
        Field(alias="from", description="The end at which the first page is."),
    ] = "end"
    cursor: Annotated[str | None, Field(description="`next_cursor` of the page before.")] = None
    before: Annotated[
        int | None,
        Field(ge=1, le=LARGEST, description="Id of a message: the page ends before it."),
    ] = None


class ExportQuery(Query):
    """`GET /api/sessions/{session_id}/export`."""

    format: Annotated[
        Literal["json", "md"], Field(description="JSON without loss, or Markdown to be read.")
    ] = "json"


class SessionChatBody(Payload):
    """`POST /api/sessions/{session_id}/chat` and `…/chat/stream`: the message as `message` or
    `input`."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"message": "Say hello."}]})

    message: str | list[dict[str, Any]] | None = None
    input: str | list[dict[str, Any]] | None = None
    system_message: LongText | None = None
    instructions: LongText | None = None
    model: ShortText | None = None
    client_request_id: Identifier | None = None
    on_busy: Literal["queue", "reject", "interrupt"] = "queue"

    def payload(self, session_id: str) -> RunPayload:
        """The same for the requests of all clients. Raises ApiError."""
        said = self.message or self.input
        if not said or (isinstance(said, str) and not said.strip()):
            raise ApiError(400, "missing_message", "Missing 'message' field", param="message")
        fields = self.model_dump(include={"model", "client_request_id", "on_busy"})
        instructions = self.system_message or self.instructions
        named = {"input": said, "session_id": session_id, "instructions": instructions}
        return checked(RunPayload, {**fields, **named})
