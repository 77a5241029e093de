"""What requests of OpenAI's API may say, and what the answers look like.

Fields that are not listed are passed over, as gateways do: sampling, tools and the like are the
agent's own business.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from web.api.http.run_models import Query, truth
from web.payloads import MOST, Identifier, LongText, Payload, ShortText

Truth = Annotated[bool, BeforeValidator(truth)]
Order = Literal["asc", "desc"]
Status = Literal["queued", "in_progress", "completed", "failed", "cancelled", "incomplete"]
Key = Annotated[str, StringConstraints(max_length=64)]
Value = Annotated[str, StringConstraints(max_length=512)]


def _nothing_if_empty(value: object) -> object:
    return None if value == "" else value


class StreamOptions(Payload):
    """`include_usage`: in a last chunk of its own."""

    include_usage: Truth = False


class ChatBody(Payload):
    """`POST /v1/chat/completions`."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"messages": [{"role": "user", "content": "Say hello."}]}]}
    )

    messages: Annotated[list[dict[str, Any]], Field(min_length=1)]
    model: Annotated[ShortText | None, BeforeValidator(_nothing_if_empty)] = None
    stream: Truth = False
    stream_options: StreamOptions = StreamOptions()


class Conversation(Payload):
    """A conversation, named by an object."""

    id: Identifier


class ResponseBody(Payload):
    """`POST /v1/responses`. `conversation` is the id of a session, which is made if there is none;
    `conversation_history` comes before the input, in place of what `previous_response_id` names or
    the conversation holds."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"input": "Say hello."}]})

    input: str | list[str | dict[str, Any]]
    model: Annotated[ShortText | None, BeforeValidator(_nothing_if_empty)] = None
    instructions: Annotated[LongText | None, BeforeValidator(_nothing_if_empty)] = None
    previous_response_id: Annotated[
        str | None,
        StringConstraints(max_length=300),
        BeforeValidator(_nothing_if_empty),
    ] = None
    conversation: Annotated[
        Identifier | Conversation | None, BeforeValidator(_nothing_if_empty)
    ] = None
    conversation_history: list[dict[str, Any]] | None = None
    background: Truth = False
    stream: Truth = False
    store: Truth = True
    metadata: Annotated[dict[Key, Value], Field(max_length=16)] | None = None

    @property
    def session_id(self) -> str | None:
        """The session that the conversation names."""
        named = self.conversation
        return named.id if isinstance(named, Conversation) else named


class RetrieveQuery(Query):
    """`GET /v1/responses/{response_id}`."""

    stream: Annotated[bool, Field(description="As events, from the first or after a number.")] = (
        False
    )
    starting_after: Annotated[
        int | None,
        Field(ge=0, le=MOST, description="`sequence_number` of the last event; with `stream`."),
    ] = None


class ItemsQuery(Query):
    """`GET /v1/responses/{response_id}/input_items`."""

    limit: Annotated[int, Field(ge=1, le=100, description="Items of one page.")] = 20
    order: Annotated[Order, Field(description="`desc`: the newest first.")] = "desc"
    after: Annotated[str | None, Field(description="The id of the last item before.")] = None


class ResponseError(BaseModel):
    """Why a response failed."""

    code: str
    message: str
    type: str


class IncompleteDetails(BaseModel):
    """Why a response is not complete."""

    reason: str


class ConversationName(BaseModel):
    """The session of a response, as its client named it."""

    id: str


class ResponseUsage(BaseModel):
    """Tokens."""

    input_tokens: int
    output_tokens: int
    total_tokens: int
    input_tokens_details: dict[str, int]
    output_tokens_details: dict[str, int]


class Response(BaseModel):
    """A response. `output` and `usage` come with its end."""

    id: str
    object: Literal["response"]
    status: Status
    created_at: int
    model: str
    output: list[dict[str, Any]]
    usage: ResponseUsage | None
    error: ResponseError | None
    incomplete_details: IncompleteDetails | None
    instructions: str | None
    metadata: dict[str, str]
    previous_response_id: str | None
    conversation: ConversationName | None
    background: bool
    store: bool
    parallel_tool_calls: bool
    temperature: float | None
    tool_choice: str
    tools: list[dict[str, Any]]
    top_p: float | None


class DeletedResponse(BaseModel):
    """The answer to a deletion."""

    id: str
    object: Literal["response"]
    deleted: bool


class InputItems(BaseModel):
    """A page of the messages that a response was asked with."""

    object: Literal["list"]
    data: list[dict[str, Any]]
    first_id: str | None
    last_id: str | None
    has_more: bool


class ChatMessage(BaseModel):
    """The answer."""

    role: Literal["assistant"]
    content: str


class ChatChoice(BaseModel):
    """The one choice. `finish_reason`: `stop`, `length` or `error`."""

    index: int
    message: ChatMessage
    finish_reason: str


class ChatUsage(BaseModel):
    """Tokens."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ChatCompletion(BaseModel):
    """A completion. `hermes`: how it ended, if it did not complete."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[ChatChoice]
    usage: ChatUsage
    hermes: dict[str, Any] | None = None
