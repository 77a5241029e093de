"""What clients may send, checked. Everything wrong is InvalidPayload with a readable message."""

from typing import Annotated, Any, Final, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from shared.conversation.content import clean_json, clean_text, input_text
from shared.errors import InvalidPayload
from shared.identifiers import LONGEST, is_fit

MOST: Final = 2**53  # the largest number that clients in JavaScript can count with
P = TypeVar("P", bound="Payload")


def _fit_for_an_id(value: str) -> str:
    if not is_fit(value):
        raise ValueError("must not contain control characters")
    return value


def _nothing_if_empty(value: object) -> object:
    return None if value == "" else value


def _queue_if_empty(value: object) -> object:
    return "queue" if value == "" else value


Identifier = Annotated[
    str, StringConstraints(min_length=1, max_length=LONGEST), AfterValidator(_fit_for_an_id)
]
ShortText = Annotated[str, StringConstraints(max_length=200), AfterValidator(clean_text)]
LongText = Annotated[str, StringConstraints(max_length=200_000), AfterValidator(clean_text)]


class Payload(BaseModel):
    """Strict types; unknown fields are ignored, since clients may be newer than we. A field that is
    null was not given."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, values: Any) -> Any:
        if isinstance(values, dict):
            return {name: value for name, value in values.items() if value is not None}
        return values


class RunPayload(Payload):
    """`run`: text, content blocks, or `[{role, content}]` (P15)."""

    input: Annotated[
        str | list[dict[str, Any]],
        Field(description="Text, content blocks, or messages of which the last one is answered."),
    ]
    session_id: Annotated[
        Identifier | None,
        Field(description="The conversation that the run is a turn of. Without it there is none."),
    ] = None
    model: Annotated[
        ShortText | None,
        BeforeValidator(_nothing_if_empty),
        Field(description="For this run; one of `/v1/models`."),
    ] = None
    instructions: Annotated[
        LongText | None,
        BeforeValidator(_nothing_if_empty),
        Field(description="For this run, before the conversation."),
    ] = None
    client_request_id: Annotated[
        Identifier | None,
        Field(description="The same id and content again, in one session, is the same run."),
    ] = None
    on_busy: Annotated[
        Literal["queue", "reject", "interrupt"],
        BeforeValidator(_queue_if_empty),
        Field(description="If the session has a run: wait for it, refuse with 409, or stop it."),
    ] = "queue"

    @model_validator(mode="before")
    @classmethod
    def _clean(cls, values: Any) -> Any:
        if isinstance(values, dict) and "input" in values:
            return {**values, "input": clean_json(values["input"])}
        return values

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if isinstance(self.input, list):
            _check_items(self.input)
        if not self.text.strip():
            raise ValueError("input: says nothing; send some text")
        return self

    @property
    def text(self) -> str:
        """What title, tokens and search use."""
        return input_text(self.input)


def _check_items(items: list[dict[str, Any]]) -> None:
    blocks = all(isinstance(item.get("type"), str) for item in items)
    messages = all(
        isinstance(item.get("role"), str) and isinstance(item.get("content"), str | list)
        for item in items
    )
    if not (blocks or messages):
        raise ValueError("input: a list holds content blocks {type, …} or messages {role, content}")


class _OfSessionOrRun(Payload):
    session_id: Identifier | None = None
    run_id: Identifier | None = None

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if self.session_id is None and self.run_id is None:
            raise ValueError("session_id: is missing")
        return self


class ResumePayload(_OfSessionOrRun):
    """`resume`: of a session, or of a run without one; with a cursor only what came after it."""

    epoch: Annotated[int, Field(ge=0, le=MOST)] | None = None
    after_seq: Annotated[int, Field(ge=0, le=MOST)] | None = None

    @property
    def has_cursor(self) -> bool:
        """Whether the client knows where it stands in a run."""
        return self.run_id is not None and self.epoch is not None and self.after_seq is not None


class AbortPayload(_OfSessionOrRun):
    """`abort`."""


class CancelPayload(Payload):
    """`queue.cancel`."""

    session_id: Identifier | None = None
    run_id: Identifier


class ApprovalPayload(_OfSessionOrRun):
    """`approval`: without `approval_id` the oldest open question is meant."""

    choice: Literal["once", "session", "always", "deny"]
    approval_id: Annotated[int, Field(ge=1, le=MOST)] | None = None


def parse(model: type[P], args: tuple[Any, ...]) -> P:
    """The one object that an event carries, checked. Raises InvalidPayload."""
    if len(args) != 1:
        raise InvalidPayload(f"Send exactly one object, not {len(args)} values.")
    if not isinstance(args[0], dict):
        raise InvalidPayload("Send an object.")
    try:
        return model.model_validate(args[0])
    except ValidationError as error:
        raise InvalidPayload(_readable(error)) from None
    except RecursionError:
        raise InvalidPayload("The payload is nested too deeply.") from None


def _readable(error: ValidationError) -> str:
    """The first fault as `field: what is wrong`, without what was sent."""
    fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
    message = fault["msg"].removeprefix("Value error, ")
    where = ".".join(str(part) for part in fault["loc"][:1])
    return clean_text(f"{where}: {message}" if where else message)[:300]
