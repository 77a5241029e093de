"""What the scripted model of the tests says: turns, and scripts that choose one.

Pure: a script looks at a request's body and gives a `Turn`; `model_server` puts it on the wire.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ToolCall:
    """One call the model asks for; `arguments` become the JSON text of the wire."""

    name: str
    arguments: dict[str, Any]
    id: str = "call_1"


@dataclass(frozen=True)
class Turn:
    """One answer of the model: reasoning, then text, then tool calls.

    `reasoning` and `text` are sent chunk by chunk with `delay` seconds before each chunk;
    `status` other than 200 answers with an error of that code instead.
    """

    text: tuple[str, ...] = ()
    reasoning: tuple[str, ...] = ()
    tools: tuple[ToolCall, ...] = ()
    delay: float = 0.0
    status: int = 200
    prompt_tokens: int = 100
    completion_tokens: int = 20

    @property
    def finish_reason(self) -> str:
        """`tool_calls` if the turn asks for tools, else `stop`."""
        return "tool_calls" if self.tools else "stop"


Body = dict[str, Any]
Script = Callable[[Body], Turn]


def text_of(message: Body) -> str:
    """The plain text of a message whose content is a string or a list of blocks."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return " ".join(str(part.get("text", "")) for part in content)


def last_message(body: Body) -> Body:
    """The message that the model is asked to answer; an empty object if there is none."""
    messages = body.get("messages") or [{}]
    last: Body = messages[-1]
    return last


def prompt_of(body: Body) -> str:
    """The text of the latest user message of a request."""
    asked = [m for m in body.get("messages", []) if m.get("role") == "user"]
    return text_of(asked[-1]) if asked else ""


def tokens(count: int, *, stem: str = "t") -> tuple[str, ...]:
    """`count` numbered text chunks (`t0 `, `t1 `, …): a lost or doubled one can be named."""
    return tuple(f"{stem}{i} " for i in range(count))


def calling(
    call: ToolCall, then: Turn, *, reasoning: tuple[str, ...] = (), preamble: tuple[str, ...] = ()
) -> Script:
    """A script that calls one tool and answers with `then` when the tool's result is there."""

    def script(body: Body) -> Turn:
        if last_message(body).get("role") == "tool":
            return then
        return Turn(text=preamble, reasoning=reasoning, tools=(call,))

    return script
