"""The script that tells one run of the demo gateway what to do.

A script is JSON between `[[demo ` and `]]`, as the first or the last thing of the input:

    [[demo {"tokens": 200, "rate": 50, "tools": [{"after": 100, "name": "clock"}]}]]

Positions (`after`) count message deltas: `after: 0` is before the first. Times are seconds.
A script in the middle of a longer text is ignored: it may be a quoted conversation.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

OPENING = "[[demo"
CLOSING = "]]"

Position = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0, le=3600)]
End = Literal["completed", "failed", "cancelled", "interrupted", "hang", "no_end", "silent"]
Junk = Literal[
    "broken_json", "not_utf8", "not_an_object", "no_field", "unknown_event", "wrong_types"
]


class ScriptError(ValueError):
    """The script in the input is not one; the message names every fault."""


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Tool(_Part):
    """A tool call: its result (`output`) reaches the session's transcript only."""

    after: Position = 0
    name: str = "demo_tool"
    arguments: dict[str, Any] = {}
    preview: str | None = None
    output: str = "demo tool result"
    seconds: Seconds = 0.0
    error: bool = False


class Approval(_Part):
    """A question to the person. Those with one `after` are asked together."""

    after: Position = 0
    command: str = "rm -rf ./demo"
    description: str = "deletes a folder"
    allow_permanent: bool = True
    timeout: Seconds = 300.0


class Stall(_Part):
    """Silence in the middle of the stream."""

    after: Position = 0
    seconds: Seconds


class JunkLine(_Part):
    """Bytes on the stream that no well-behaved gateway sends."""

    after: Position = 0
    kind: Junk = "broken_json"


class Usage(_Part):
    """What `run.completed` reports instead of the counted tokens."""

    input_tokens: int = Field(ge=0)
    output_tokens: int = Field(ge=0)


class Script(_Part):
    """One run, completely. Every field has a default; unknown fields are errors.

    tokens, text    that many deltas, `{n}` in `text` becomes their number from 1
    say             instead of them: this text, word by word
    rate            deltas per second; 0 is as fast as possible
    reasoning       that many `reasoning.delta` before the text
    reasoning_available  the text of one `reasoning.available`
    event_bytes     one delta of that size, after `event_bytes_after` deltas
    nul, surrogate  one delta with a NUL character, with a lone surrogate, before the text
    cut             drop the reader's connection after that many deltas; the run goes on
    cut_bytes       the same after that many bytes, in the middle of a line
    end             `interrupted`: as newer gateways end what they work on when they are shut
                    down; `hang`: works until stopped; `no_end`: completed, but the stream closes
                    without saying so; `silent`: completed, but the stream neither says so nor
                    closes
    output          the final answer that status, event and transcript give, if not the text
    stop_delay      from `/stop` to the end
    session_delay   from the start to the session's existence; default: the gateway's option
    """

    tokens: int = Field(default=20, ge=0, le=2_000_000)
    text: str = Field(default="t{n} ", max_length=10_000)
    say: str | None = None
    rate: float = Field(default=50.0, ge=0, le=1_000_000)
    first_delay: Seconds = 0.0
    reasoning: int = Field(default=0, ge=0, le=100_000)
    reasoning_text: str = Field(default="r{n} ", max_length=10_000)
    reasoning_available: str | None = None
    tools: Annotated[list[Tool], BeforeValidator(_as_list)] = []
    approval: Annotated[list[Approval], BeforeValidator(_as_list)] = []
    stall: Annotated[list[Stall], BeforeValidator(_as_list)] = []
    junk: Annotated[list[JunkLine], BeforeValidator(_as_list)] = []
    event_bytes: int = Field(default=0, ge=0, le=64_000_000)
    event_bytes_after: Position = 0
    nul: bool = False
    surrogate: bool = False
    cut: Position | None = None
    cut_bytes: Position | None = None
    end: End = "completed"
    error: str = "the script asked for a failure"
    output: str | None = None
    usage: Usage | None = None
    stop_delay: Seconds = 0.05
    session_delay: Seconds | None = None


def find_script(text: str) -> Script | None:
    """The script at the start or the end of `text`, or None. Raises ScriptError."""
    stripped = text.strip()
    if stripped.startswith(OPENING):
        return _parse(stripped[len(OPENING) :])
    if stripped.endswith(CLOSING) and OPENING in stripped:
        tail = stripped[stripped.rindex(OPENING) + len(OPENING) :]
        return _parse(tail)
    return None


def _parse(text: str) -> Script:
    """Read JSON and the closing brackets; what follows them is ordinary input."""
    body = text.lstrip()
    try:
        fields, length = json.JSONDecoder().raw_decode(body)
    except ValueError as error:
        raise ScriptError(f"demo script: not JSON: {error}") from error
    if not body[length:].lstrip().startswith(CLOSING):
        raise ScriptError(f"demo script: no closing {CLOSING}")
    return validate_script(fields)


def validate_script(fields: object) -> Script:
    """Check decoded JSON against the fields above. Raises ScriptError naming each fault."""
    try:
        return Script.model_validate(fields)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc']) or 'script'}: {fault['msg']}"
            for fault in error.errors(include_url=False, include_input=False)
        )
        raise ScriptError(f"demo script: {faults}") from error
