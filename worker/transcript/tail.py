"""What a person has not been shown yet of a transcript that the gateway holds (R5). Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.protocol.events import Payload

PIECE = 16_384  # characters: what comes at once is split like what is streamed
OUTPUT_MOST = 4_000  # characters that an event shows of a tool's result; the rows have all of it
SYNTHETIC = ("Operation interrupted",)  # lines that a Hermes writes when it was stopped


@dataclass
class Tail:
    """Events that continue what was shown; `diverged`: they cannot, the session must be re-read."""

    events: list[tuple[str, Payload]] = field(default_factory=list)
    diverged: bool = False


def tail(shown: Sequence[Mapping[str, Any]], stored: Iterable[Mapping[str, Any]]) -> Tail:
    """Compare the fold of the log with the gateway's messages, one by one.

    `shown`: messages of `Transcript.messages()`. `stored`: the gateway's rows, in order. Texts
    are compared without surrounding space, since gateways put line breaks before a text that
    follows a tool.
    """
    result = Tail()
    left = list(shown)
    names = tool_names(stored := list(stored))
    for message in stored:
        if message.get("role") == "assistant":
            _assistant(message, left, result)
        elif message.get("role") == "tool":
            _tool(message, left, names, result)
        if result.diverged:
            break
    return result


def output_tail(shown: Sequence[Mapping[str, Any]], output: str) -> Tail:
    """The same where there is only the run's `output`, which is its last message: it continues the
    text that stands open, or comes after the tool that was shown last."""
    result = Tail()
    if shown and shown[-1]["role"] == "assistant":
        _continue_text(str(shown[-1]["content"]), output, False, result)
    elif shown:
        _add_text(output, result)
    return result


def tool_names(stored: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Call id -> tool name, from the calls of the assistant messages (P25)."""
    names: dict[str, str] = {}
    for message in stored:
        calls = message.get("tool_calls")
        for call in calls if isinstance(calls, list) else []:
            if isinstance(call, Mapping):
                name = call_name(call)
                for key in ("id", "call_id", "tool_call_id"):
                    if name and isinstance(call.get(key), str):
                        names.setdefault(call[key], name)
    return names


def call_name(call: Mapping[str, Any]) -> str:
    """The name of the tool that is called, wherever a gateway puts it."""
    function = call.get("function")
    name = function.get("name") if isinstance(function, Mapping) else None
    return str(name or call.get("name") or "")


def is_synthetic(text: str) -> bool:
    """Whether a gateway wrote this line about an interruption, rather than the model."""
    return text.lstrip().startswith(SYNTHETIC)


def _assistant(message: Mapping[str, Any], left: list[Any], result: Tail) -> None:
    text = str(message.get("content") or "")
    if is_synthetic(text) or not text.strip():
        text = ""
    if left and left[0]["role"] == "assistant":
        _continue_text(str(left.pop(0)["content"]), text, bool(left), result)
    elif text and left:
        result.diverged = True
    else:
        _add_text(text, result)
    if not left and not result.diverged:
        _add_calls(message, result)


def _continue_text(seen: str, text: str, more_was_shown: bool, result: Tail) -> None:
    """`text` begins with what was seen of it, or the two have nothing to do with each other."""
    begun, whole = seen.strip(), text.lstrip()
    if not whole.startswith(begun):
        result.diverged = bool(text)
        return
    rest = whole[len(begun) :]
    if not rest.strip():
        return
    if more_was_shown:
        result.diverged = True  # it cannot be put in front of what came after
        return
    _add_text(rest.lstrip() if begun and seen != seen.rstrip() else rest, result)


def _add_text(text: str, result: Tail) -> None:
    for start in range(0, len(text), PIECE):
        result.events.append(("message.delta", {"delta": text[start : start + PIECE]}))


def _add_calls(message: Mapping[str, Any], result: Tail) -> None:
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else []:
        if isinstance(call, Mapping):
            started: Payload = {"tool": call_name(call)}
            if isinstance(call.get("id"), str):
                started["tool_call_id"] = call["id"]
            result.events.append(("tool.started", started))


def _tool(
    message: Mapping[str, Any], left: list[Any], names: Mapping[str, str], result: Tail
) -> None:
    call_id = message.get("tool_call_id")
    name = message.get("tool_name") or names.get(str(call_id), "")
    if left and left[0]["role"] == "tool":
        shown = left.pop(0)
        if shown.get("duration") is not None or shown.get("error") is not None:
            return  # its end was shown
    elif left:
        result.diverged = True
        return
    output = str(message.get("content") or "")
    completed: Payload = {"tool": name, "error": False, "output": output[:OUTPUT_MOST]}
    if len(output) > OUTPUT_MOST:
        completed["truncated"] = True
    if isinstance(call_id, str):
        completed["tool_call_id"] = call_id
    result.events.append(("tool.completed", completed))
