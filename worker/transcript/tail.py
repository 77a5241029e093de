"""Computes what clients were not shown yet of a transcript that the gateway has (R5).

Problem: a run that is polled shows up as whole messages, while clients were shown the beginning of
them as deltas and events, at times only half of a text. Idea: walk through both lists side by side.
A text that begins with what was shown is continued by its rest; messages beyond the last shown one
become events. Invariant: only something that can be appended is returned. What would have to be
put in front of something shown, or differs from it, is `diverged`, and clients read again. Pure.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.protocol.events import Payload

PIECE = 16_384  # characters of a delta: what comes at once is split like what is streamed
OUTPUT_MOST = 4_000  # characters that an event shows of a tool's result; the rows have all of it
# The whole lines that a Hermes writes instead of an answer when it was stopped.
_SYNTHETIC = re.compile(
    r"Operation interrupted(?:\."
    r"|: waiting for model response \([0-9.]{1,20}s elapsed\)\."
    r"|: handling API error \(.{1,4000}\)\."
    r"|: retrying API call after error \(retry [0-9]{1,9}/[0-9]{1,9}\)\."
    r"| during retry \(.{1,4000}, attempt [0-9]{1,9}/[0-9]{1,9}\)\.)",
    re.DOTALL,
)


@dataclass
class Tail:
    """Events that continue what was shown. `diverged`: nothing can; clients must read again."""

    events: list[tuple[str, Payload]] = field(default_factory=list)
    diverged: bool = False


def tail(
    shown: Sequence[Mapping[str, Any]],
    stored: Iterable[Mapping[str, Any]],
    *,
    stopped: bool = False,
) -> Tail:
    """Compare the fold of the log with the gateway's messages, one by one.

    `shown`: messages of `Transcript.messages()`. `stored`: the gateway's rows, in order. `stopped`:
    the run was, or is to be, so lines about that are no answers. Texts are compared without
    surrounding space, since gateways put line breaks before a text that follows a tool.
    """
    result = Tail()
    unmatched = list(shown)
    names = tool_names(stored := list(stored))
    for message in stored:
        if message.get("role") == "assistant":
            _assistant(message, unmatched, result, stopped=stopped)
        elif message.get("role") == "tool":
            _tool(message, unmatched, names, result)
        if result.diverged:
            break
    return result


def output_tail(shown: Sequence[Mapping[str, Any]], output: str) -> Tail:
    """The same for a run of which only `output`, its last message, is known: it continues the text
    that was shown last, or comes after it, or after the tool that was shown last. What was between
    the two is not known, and the answer is not to be lost with it."""
    result = Tail()
    if not shown or not output.strip():
        return result
    if shown[-1]["role"] != "assistant":
        _add_text(output, result)
        return result
    seen = str(shown[-1]["content"])
    if _squeezed(seen).endswith(_squeezed(output)):
        return result
    rest = _rest_after(seen, output)
    if rest is None:
        _add_text(f"\n\n{output.lstrip()}", result)
    else:
        _add_text(rest.lstrip() if seen != seen.rstrip() else rest, result)
    return result


def _squeezed(text: str) -> str:
    return "".join(text.split())


def _rest_after(begun: str, whole: str) -> str | None:
    """The rest of a text that begins with what `begun` says, white space aside; None if it does
    not."""
    position = 0
    for char in _squeezed(begun):
        while whole[position : position + 1].isspace():
            position += 1
        if whole[position : position + 1] != char:
            return None
        position += 1
    return whole[position:]


def pieces(text: str) -> list[str]:
    """The text split into deltas."""
    return [text[start : start + PIECE] for start in range(0, len(text), PIECE)]


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
    """Whether a gateway wrote this line about an interruption, rather than the model. Only for the
    messages of a run that was stopped: a model may say the same."""
    return _SYNTHETIC.fullmatch(text.strip()) is not None


def _assistant(
    message: Mapping[str, Any], unmatched: list[Any], result: Tail, *, stopped: bool
) -> None:
    text = str(message.get("content") or "")
    if not text.strip() or (stopped and is_synthetic(text)):
        text = ""
    if unmatched and unmatched[0]["role"] == "assistant":
        _continue_text(str(unmatched.pop(0)["content"]), text, bool(unmatched), result)
    elif text and unmatched:
        result.diverged = True
    else:
        _add_text(text, result)
    if not unmatched and not result.diverged:
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
    result.events.extend(("message.delta", {"delta": piece}) for piece in pieces(text))


def _add_calls(message: Mapping[str, Any], result: Tail) -> None:
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else []:
        if isinstance(call, Mapping):
            started: Payload = {"tool": call_name(call)}
            if isinstance(call.get("id"), str):
                started["tool_call_id"] = call["id"]
            result.events.append(("tool.started", started))


def _tool(
    message: Mapping[str, Any], unmatched: list[Any], names: Mapping[str, str], result: Tail
) -> None:
    call_id = message.get("tool_call_id")
    name = message.get("tool_name") or names.get(str(call_id), "")
    if unmatched and unmatched[0]["role"] == "tool":
        shown = unmatched.pop(0)
        if shown.get("duration") is not None or shown.get("error") is not None:
            return  # its end was shown
    elif unmatched:
        result.diverged = True
        return
    output = str(message.get("content") or "")
    completed: Payload = {"tool": name, "error": False, "output": output[:OUTPUT_MOST]}
    if len(output) > OUTPUT_MOST:
        completed["truncated"] = True
    if isinstance(call_id, str):
        completed["tool_call_id"] = call_id
    result.events.append(("tool.completed", completed))
