"""Deciding what to send of a session's history, and when to compress it. Pure.

Problem: a session grows beyond what its model can hold; summarizing costs a model call, may fail,
and the stored turns may change afterwards.
Idea: a history over half of the model's context is compressed: its older turns are summarized, and
the summary is stored as a snapshot that covers the turns up to a number. Later histories are sent
as the summary and the turns after it, and the next compression starts from both (incremental). The
last 20 messages stay verbatim, and a turn is never cut. After a failure, or a compression that did
not help, the next one waits, twice as long for each failure in a row.
Invariant: every message is in exactly one of covered turns, `head` (to be summarized) and `tail`; a
run is sent also when its compression failed. Whether a snapshot's turns are unchanged is checked
where the rows are read (`shared/db/sessions/history_rows.py`).

Messages are stored rows as mappings, in order, of the turns before the run's own and after the
snapshot, with `turn_no`.
All sizes are tokens, limits of texts are characters. The gateway is asked in `worker/compression`.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from typing import Any, TypeAlias

import orjson

from shared.conversation import tokens
from shared.conversation.summary_prompts import SUMMARY_PREFIX, full_prompt, incremental_prompt
from shared.conversation.summary_text import TOOL_OUTPUT_LIMIT, content_text, prune, serialize

Row: TypeAlias = Mapping[str, Any]

DEFAULT_CONTEXT_LENGTH = 200_000
TAIL = 20  # messages that stay verbatim
MIN_MESSAGES = 4  # a shorter history is never compressed
COOL_DOWN = 600.0  # seconds, doubled with each failure in a row
MAX_DOUBLINGS = 3
PROMPT_SHARE = 0.7  # of the context for turns to summarize; the rest is prompt and answer


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A stored summary. It covers all turns up to `turn_no`. `content_hash` is that of their
    messages, or, on top of an older snapshot, of its hash and those after it (R23)."""

    summary: str
    turn_no: int
    content_hash: str


@dataclass(frozen=True, slots=True)
class LastCompression:
    """The result of the session's latest compression; `at` is in epoch seconds."""

    at: float
    succeeded: bool
    after_tokens: int
    failures: int = 0  # in a row, up to this one


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens from the snapshot on (P22): of all content, and of the assistant messages in it."""

    input_tokens: int
    output_tokens: int

    @property
    def total(self) -> int:
        return self.input_tokens + self.output_tokens


class Action(StrEnum):
    AS_IS = "as_is"
    SUMMARY = "summary"  # the stored summary and the messages after it
    COMPRESS_FULL = "full"
    COMPRESS_INCREMENTAL = "incremental"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send, and what to summarize first.

    `rest`: all messages that no stored summary covers. `head` + `tail` == `rest`: `head` is what a
    compression summarizes (else empty). `last_turn`: the last turn that a new snapshot will cover.
    """

    action: Action
    snapshot: Snapshot | None
    covered: int
    head: tuple[Row, ...]
    tail: tuple[Row, ...]
    usage: Usage
    threshold: int

    @property
    def compresses(self) -> bool:
        return self.action in (Action.COMPRESS_FULL, Action.COMPRESS_INCREMENTAL)

    @property
    def rest(self) -> tuple[Row, ...]:
        return self.head + self.tail

    @property
    def last_turn(self) -> int:
        """The last turn of `head`. Raises IndexError for a plan that does not compress."""
        return int(self.head[-1]["turn_no"])


# -- deciding -----------------------------------------------------------------------------------


def decide(
    messages: Sequence[Row],
    snapshot: Snapshot | None,
    *,
    covered: int = 0,
    context_length: int = DEFAULT_CONTEXT_LENGTH,
    last: LastCompression | None = None,
    now: float = 0.0,
) -> Plan:
    """Make the plan for a history. `covered`: how many messages the snapshot covers, which are not
    among `messages`."""
    rest = tuple(messages)
    usage = count_usage(rest, snapshot)
    threshold = threshold_for(context_length)
    too_big = usage.total > threshold and not cooling_down(last, threshold, now)
    head = first_turns(rest, context_length) if too_big and len(rest) > MIN_MESSAGES else ()
    return Plan(
        _action(snapshot, head), snapshot, covered, head, rest[len(head) :], usage, threshold
    )


def _action(snapshot: Snapshot | None, head: Sequence[Row]) -> Action:
    if not head:
        return Action.SUMMARY if snapshot else Action.AS_IS
    return Action.COMPRESS_INCREMENTAL if snapshot else Action.COMPRESS_FULL


def threshold_for(context_length: int) -> int:
    """Return the tokens above which a session is compressed: half of what its model can hold."""
    return context_length // 2


def cooling_down(last: LastCompression | None, threshold: int, now: float) -> bool:
    """Whether the last compression failed, or did not get below the threshold, too recently."""
    if last is None or (last.succeeded and last.after_tokens <= threshold):
        return False
    wait = COOL_DOWN * 2.0 ** min(max(last.failures - 1, 0), MAX_DOUBLINGS)
    return 0 <= now - last.at < wait  # one of the future is of a clock that was set back


def count_usage(messages: Iterable[Row], snapshot: Snapshot | None = None) -> Usage:
    """Count the tokens of the summary and of the messages after it. Stored counts are used."""
    counts = [(row["role"], message_tokens(row)) for row in messages]
    summary = tokens.count(SUMMARY_PREFIX + snapshot.summary) if snapshot else 0
    answers = sum(count for role, count in counts if role == "assistant")
    return Usage(summary + sum(count for _, count in counts), answers)


def message_tokens(row: Row) -> int:
    """Return the stored token count of a message, else that of its content."""
    stored = row.get("token_count")
    return stored if isinstance(stored, int) else tokens.count(content_text(row))


def first_turns(messages: Sequence[Row], context_length: int) -> tuple[Row, ...]:
    """Return the messages to summarize: whole turns before the last 20 messages.

    The last turn is never among them. Of a history that the summarizing model could not hold, they
    are only as many turns as fit, but at least one.
    """
    head: list[Row] = []
    budget = int(context_length * PROMPT_SHARE)
    for _, rows in groupby(messages, key=_turn):
        turn = list(rows)
        budget -= sum(_serialized_tokens(row) for row in turn)
        if len(head) + len(turn) > len(messages) - TAIL or (head and budget < 0):
            break
        head += turn
    return tuple(head)


def _turn(row: Row) -> int:
    return int(row["turn_no"])


def _serialized_tokens(row: Row) -> int:
    most = TOOL_OUTPUT_LIMIT // 3 if row["role"] == "tool" else sys.maxsize
    return min(message_tokens(row), most)


# -- coverage -----------------------------------------------------------------------------------


def content_hash(messages: Iterable[Row]) -> str:
    """Return the SHA-256 (hex) of turn, role, content and tool of the messages, not of row ids."""
    digest = hashlib.sha256()
    for row in messages:
        content = (row["turn_no"], row["role"], content_text(row), row.get("tool_name"))
        whole = orjson.dumps([*content, row.get("tool_calls")], option=orjson.OPT_SORT_KEYS)
        digest.update(whole)
    return digest.hexdigest()


def next_snapshot(plan: Plan, summary: str) -> Snapshot:
    """Return the snapshot of a successful compression."""
    digest = content_hash(plan.head)
    if plan.snapshot is not None:
        digest = hashlib.sha256(f"{plan.snapshot.content_hash}{digest}".encode()).hexdigest()
    return Snapshot(summary, plan.last_turn, digest)


# -- assembling ---------------------------------------------------------------------------------


def summary_prompt(plan: Plan) -> str:
    """Return the prompt for the summarizing model; it has the turns once, not shortened (P23)."""
    turns = serialize(plan.head)
    if plan.snapshot is None:
        return full_prompt(turns)
    return incremental_prompt(plan.snapshot.summary, turns)


def assemble(plan: Plan, summary: str | None = None) -> list[Row]:
    """Return the messages to send, for `history.build`.

    `summary` is the new one; without it (no compression, or a failed one: P24) they are the stored
    summary and everything after it. Over the threshold, old tool output is shortened to previews.
    """
    if summary is not None:
        return [summary_message(summary), *prune(plan.tail, TAIL)]
    rest = plan.rest if plan.usage.total <= plan.threshold else prune(plan.rest, TAIL)
    before = [summary_message(plan.snapshot.summary)] if plan.snapshot else []
    return [*before, *rest]


def summary_message(summary: str) -> Row:
    """Return a summary as the `user` message that begins the history (P21)."""
    return {"role": "user", "content": f"{SUMMARY_PREFIX}\n\n{summary}"}


def started_event(plan: Plan) -> dict[str, Any]:
    """Return the fields of `compression.started`."""
    return {"message_count": len(plan.rest), "token_count": plan.usage.total}


def completed_event(plan: Plan, summary: str | None, error: str | None = None) -> dict[str, Any]:
    """Return the fields of `compression.completed`; without a summary, those of a failure (P24)."""
    ok = summary is not None
    sent = len(plan.tail) + 1 if ok else len(plan.rest) + (plan.snapshot is not None)
    fields = {
        "compressed": ok,
        "llmCompressed": ok,
        "totalMessages": plan.covered + len(plan.rest),
        "resultMessages": sent,
        "beforeTokens": plan.usage.total,
        "afterTokens": after_tokens(plan, summary),
        "summaryTokens": tokens.count(summary) if summary is not None else 0,
        "verbatimCount": len(plan.tail) if ok else len(plan.rest),
        "compressedStartIndex": plan.covered if ok else -1,
    }
    return fields if error is None else fields | {"error": error}


def after_tokens(plan: Plan, summary: str | None) -> int:
    """Return the tokens of the session after the compression (P22)."""
    if summary is None:
        return plan.usage.total
    return count_usage(plan.tail, Snapshot(summary, 0, "")).total
