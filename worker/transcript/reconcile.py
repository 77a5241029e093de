"""Chooses the messages that a turn leaves: the gateway's transcript, or what was streamed (R6).

Problem: two sources say what happened. What was streamed is what people saw; the gateway's
transcript alone has tool results, and may be of another session, cut short, or another text.
Idea: the transcript is taken only if it is of this turn's session and every text that was shown
begins its counterpart there, white space aside, or if all that was not shown lies right before the
last answer. Else what was streamed stays, and gets the tool results. Invariant: a text that was
shown is never replaced by another one; where the two differ, `diverged` has clients read the
session again. Pure: messages in, rows out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.conversation.content import ParsedContent, blocks_to_text, parse_stringified
from shared.conversation.history import clean_calls
from worker.gateway.models import GatewayTranscript
from worker.transcript.tail import is_synthetic, tool_names

Row = dict[str, Any]

_COPIED = (
    "tool_call_id",
    "finish_reason",
    "reasoning",
    "reasoning_details",
    "reasoning_content",
    "codex_reasoning_items",
)
_LONGEST = 2.0**31  # seconds


@dataclass(frozen=True)
class ReconciledTurn:
    """The turn's assistant and tool rows in order.

    `synced`: the gateway's transcript has nothing that is not in them. `replaced`: they are the
    gateway's. `diverged`: clients were shown something else. `parsed`: the last answer's
    stringified content, if it had any (P1).
    """

    rows: list[Row]
    synced: bool
    replaced: bool
    diverged: bool
    parsed: ParsedContent | None


def reconcile(
    shown: Sequence[Mapping[str, Any]],
    stored: GatewayTranscript | None,
    ephemeral_id: str | None,
    end_reason: str,
    *,
    stopped: bool = False,
) -> ReconciledTurn:
    """The gateway's rows if they are certainly this turn's and continue what was shown, else the
    shown ones.

    `shown`: the fold of the log, ended. `stored`: the gateway's transcript, if there is one.
    `end_reason`: the `finish_reason` of an assistant message that was cut short: `stop`, `aborted`,
    `error`, … (P28). `stopped`: the run did not complete, so the gateway's lines about its
    interruption are no answers.
    """
    theirs = _assistant_and_tool(stored, stopped=stopped) if stored is not None else []
    mine = stored is not None and stored.session_id == ephemeral_id
    is_whole = _continues(shown, theirs)
    if theirs and mine and (is_whole or _fills_the_gap(shown, theirs)):
        rows = [_row(message, tool_names(theirs)) for message in theirs]
        _merge_reasoning(rows, shown)
        _merge_watched(rows, shown)
        replaced, diverged = True, not is_whole
    else:
        rows = [_row(message, {}) for message in shown]
        _merge_tool_results(rows, theirs)
        replaced, diverged = False, bool(theirs)
    parsed = [_read_stringified(row) for row in rows]
    rows = [row for row in rows if _has_content(row)]
    _close_last(rows, end_reason)
    synced = bool(theirs) or (stored is not None and not rows)
    return ReconciledTurn(rows, synced, replaced, diverged, _last_answer(parsed))


def _assistant_and_tool(stored: GatewayTranscript, *, stopped: bool) -> list[Mapping[str, Any]]:
    return [
        message
        for message in stored.messages
        if message.get("role") == "tool"
        or (message.get("role") == "assistant" and not (stopped and is_synthetic(_text(message))))
    ]


def _continues(shown: Sequence[Mapping[str, Any]], theirs: Sequence[Mapping[str, Any]]) -> bool:
    """Each text that was shown begins its counterpart, white space aside."""
    seen, stored = _texts(shown), _texts(theirs)
    return len(seen) <= len(stored) and all(
        whole.startswith(part) for part, whole in zip(seen, stored, strict=False)
    )


def _fills_the_gap(shown: Sequence[Mapping[str, Any]], theirs: Sequence[Mapping[str, Any]]) -> bool:
    """What was shown is the beginning of it, then its last text: what an owner shows that takes a
    run over after its end, while the transcript cannot be read (R5)."""
    seen, stored = "".join(_texts(shown)), _texts(theirs)
    if not stored or not seen.endswith(stored[-1]):
        return False
    return "".join(stored[:-1]).startswith(seen.removesuffix(stored[-1]))


def _texts(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    texts = ("".join(_text(m).split()) for m in messages if m.get("role") == "assistant")
    return [text for text in texts if text]


def _text(message: Mapping[str, Any]) -> str:
    return blocks_to_text(message.get("content"))


def _row(message: Mapping[str, Any], names: Mapping[str, str]) -> Row:
    row: Row = {key: message.get(key) or None for key in _COPIED}
    row |= _watched(message)
    row["role"] = message["role"]
    row["content"] = _text(message)
    row["tool_calls"] = clean_calls(with_ids(message.get("tool_calls"))) or None
    row["tool_name"] = message.get("tool_name") or names.get(str(message.get("tool_call_id")))
    stamp = message.get("timestamp")
    row["timestamp"] = stamp if isinstance(stamp, int | float) and stamp > 0 else None
    return row


def _watched(message: Mapping[str, Any]) -> Row:
    """What only those know who watched the run: the gateway keeps none of it."""
    error = message.get("error")
    return {
        "error": error if isinstance(error, bool) else None,
        "duration": _seconds(message.get("duration")),
        "reasoning_duration": _seconds(message.get("reasoning_duration")),
    }


def _seconds(value: object) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value < _LONGEST else None  # type: ignore[arg-type,operator]


def with_ids(calls: object) -> list[Row]:
    """The calls with their id as `id`, which clients know (P8), whatever a gateway names it."""
    found = [call for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    return [
        {**call, "id": call.get("id") or call.get("call_id") or call.get("tool_call_id")}
        for call in found
    ]


def _merge_reasoning(rows: Sequence[Row], shown: Sequence[Mapping[str, Any]]) -> None:
    """Give streamed reasoning to the answer with the same index, where the gateway has none."""
    answers = [row for row in rows if row["role"] == "assistant"]
    thoughts = [m.get("reasoning") for m in shown if m.get("role") == "assistant"]
    for row, reasoning in zip(answers, thoughts, strict=False):
        row["reasoning"] = row["reasoning"] or reasoning or None


def _merge_watched(rows: Sequence[Row], shown: Sequence[Mapping[str, Any]]) -> None:
    """Give the gateway's rows what was watched: answers in their order, tools by their calls."""
    answers = [row for row in rows if row["role"] == "assistant"]
    spoken = [message for message in shown if message.get("role") == "assistant"]
    for row, message in zip(answers, spoken, strict=False):
        row |= _watched(message)
    tools = [row for row in rows if row["role"] == "tool"]
    for message in shown:
        if message.get("role") != "tool":
            continue
        seen = _row(message, {})
        match = next((row for row in tools if _same_tool(seen, row)), None)
        if match is not None:
            tools.remove(match)
            match |= _watched(message)


def _merge_tool_results(rows: Sequence[Row], theirs: Sequence[Mapping[str, Any]]) -> None:
    """Give the results, which only the gateway's transcript has, to the calls in their order."""
    results = [message for message in theirs if message.get("role") == "tool"]
    names = tool_names(theirs)
    for row in rows:
        if row["role"] != "tool":
            continue
        match = next((r for r in results if _same_tool(row, _row(r, names))), None)
        if match is not None:
            results.remove(match)
            row["content"] = row["content"] or _text(match)
            row["tool_call_id"] = row["tool_call_id"] or match.get("tool_call_id")


def _same_tool(row: Row, result: Row) -> bool:
    if row["tool_call_id"]:
        return bool(row["tool_call_id"] == result["tool_call_id"])
    return bool(row["tool_name"] == result["tool_name"])


def _read_stringified(row: Row) -> ParsedContent | None:
    """Stringified blocks become content, reasoning and calls (P27)."""
    parsed = parse_stringified(row["content"]) if row["role"] == "assistant" else None
    if parsed is not None:
        row["content"] = parsed.content
        row["reasoning"] = parsed.reasoning or row["reasoning"]
        row["tool_calls"] = parsed.tool_calls or row["tool_calls"]
    return parsed


def _has_content(row: Row) -> bool:
    if row["role"] == "tool":
        return True
    return bool(row["content"].strip() or row["reasoning"] or row["tool_calls"])


def _close_last(rows: Sequence[Row], end_reason: str) -> None:
    answers = [row for row in rows if row["role"] == "assistant"]
    if answers and not answers[-1]["finish_reason"]:
        answers[-1]["finish_reason"] = end_reason


def _last_answer(parsed: Sequence[ParsedContent | None]) -> ParsedContent | None:
    found = [content for content in parsed if content is not None]
    return found[-1] if found else None
