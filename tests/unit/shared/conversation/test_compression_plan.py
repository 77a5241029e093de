"""When a history is compressed, what is summarized, and what is sent."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.conversation import compression_plan as planning
from shared.conversation.compression_plan import (
    Action,
    LastCompression,
    Plan,
    Row,
    Snapshot,
    decide,
)
from shared.conversation.history import build
from shared.conversation.summary_prompts import SUMMARY_PREFIX
from shared.conversation.summary_text import prune, serialize, summary_history
from tests.unit.shared.conversation.golden_cases import CASES

SECTIONS = (
    "Active task;Goal;Constraints;Done;State;In progress;Blocked;Decisions;Answered questions"
)
MORE_SECTIONS = "Open questions;Files;Remaining;Critical values"


@pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))
def test_serialization_flattening_and_pruning_equal_the_recorded(case: dict[str, Any]) -> None:
    assert serialize(case["messages"]) == case["summary_text"]
    assert summary_history(case["messages"]) == case["summary_history"]
    assert prune(case["messages"], 4) == case["pruned_keep_4"]


def turns(count: int, size: int = 2, tokens_each: int = 100, first: int = 1) -> list[Row]:
    """Turns of a user message and `size` - 1 further ones, each counted as `tokens_each`."""
    return [
        {
            "role": "user" if at == 0 else "tool" if at < size - 1 else "assistant",
            "content": f"turn {turn} message {at}",
            "turn_no": turn,
            "token_count": tokens_each,
        }
        for turn in range(first, first + count)
        for at in range(size)
    ]


def snapshot_of(rows: list[Row], turn_no: int, summary: str = "so far") -> Snapshot:
    covered = [row for row in rows if row["turn_no"] <= turn_no]
    return Snapshot(summary, turn_no, planning.content_hash(covered))


def test_a_history_under_the_threshold_goes_out_as_it_is() -> None:
    rows = turns(150)
    plan = decide(rows, None, context_length=200_000)
    assert plan.action is Action.AS_IS
    assert plan.usage.input_tokens == 30_000
    assert plan.usage.output_tokens == 15_000  # what assistants said counts again
    assert planning.assemble(plan) == rows


def test_three_hundred_messages_over_the_threshold_are_compressed_once() -> None:
    rows = turns(150)
    plan = decide(rows, None, context_length=80_000)
    assert plan.action is Action.COMPRESS_FULL
    assert (len(plan.head), len(plan.tail), plan.last_turn) == (280, 20, 140)
    snapshot = planning.next_snapshot(plan, "short")
    after = [*plan.tail, *turns(1, first=151)]
    again = decide(after, snapshot, covered=280, context_length=80_000)
    assert again.action is Action.SUMMARY
    assert (again.covered, len(again.rest)) == (280, 22)


def test_a_session_with_a_snapshot_is_compressed_on_top_of_it() -> None:
    rows = turns(150)
    snapshot = snapshot_of(rows, 50, "OLD SUMMARY")
    plan = decide(rows[100:], snapshot, covered=100, context_length=50_000)
    assert plan.action is Action.COMPRESS_INCREMENTAL
    prompt = planning.summary_prompt(plan)
    assert "OLD SUMMARY" in prompt
    assert "turn 50 message" not in prompt
    assert prompt.count("turn 51 message 0") == 1
    assert "turn 141 message" not in prompt
    following = planning.next_snapshot(plan, "new")
    assert following.turn_no == 140
    assert following.content_hash not in {snapshot.content_hash, planning.content_hash(plan.head)}


def test_nothing_before_the_tail_means_no_compression() -> None:
    plan = decide(turns(10, tokens_each=10**6), None)
    assert plan.action is Action.AS_IS
    one_long_turn = decide(turns(1, size=200, tokens_each=10**6), None)
    assert one_long_turn.action is Action.AS_IS


def test_turns_are_not_cut_and_the_last_stays() -> None:
    plan = decide(turns(4, size=15, tokens_each=10**4), None)
    assert (len(plan.head), plan.last_turn) == (30, 2)
    plan = decide([*turns(5, 1, 10**5), *turns(1, 19, 10**4, first=6)], None, context_length=10**6)
    assert len(plan.tail) == 20
    plan = decide(turns(2, size=60, tokens_each=10**4), None, context_length=10**6)
    assert (len(plan.head), len(plan.tail)) == (60, 60)


def test_what_the_summarizing_model_cannot_hold_is_left_for_the_next_time() -> None:
    rows = turns(100, tokens_each=1_000)
    plan = decide(rows, None, context_length=50_000)
    assert 0 < sum(planning.message_tokens(row) for row in plan.head) <= 35_000
    huge = decide(turns(20, tokens_each=100_000), None, context_length=50_000)
    assert len(huge.head) == 2


def test_a_compression_that_failed_or_did_not_help_is_not_repeated_at_once() -> None:
    def acts(last: LastCompression | None, now: float) -> bool:
        plan = decide(turns(150), None, context_length=80_000, last=last, now=now)
        return plan.compresses

    failed = LastCompression(at=1_000, succeeded=False, after_tokens=0, failures=1)
    useless = LastCompression(at=1_000, succeeded=True, after_tokens=40_001)
    helped = replace(useless, after_tokens=40_000)
    assert [acts(last, 1_599) for last in (None, failed, useless, helped)] == [
        True,
        False,
        False,
        True,
    ]
    assert acts(failed, 1_600)
    assert not acts(replace(failed, failures=2), 2_199)
    assert acts(replace(failed, failures=99), 1_000 + 600 * 8)


def test_a_failed_summary_sends_the_old_one_and_everything_after_it() -> None:
    rows = turns(150)
    plan = decide(rows[100:], snapshot_of(rows, 50), covered=100, context_length=50_000)
    sent = planning.assemble(plan, None)
    assert len(sent) == 1 + 200
    assert sent[0]["content"] == f"{SUMMARY_PREFIX}\n\nso far"
    assert sent[1]["content"] == "turn 51 message 0"
    event = planning.completed_event(plan, None, "timeout")
    assert event["compressed"] is event["llmCompressed"] is False
    assert (event["error"], event["compressedStartIndex"]) == ("timeout", -1)
    assert event["afterTokens"] == event["beforeTokens"] == plan.usage.total


def test_a_summary_goes_out_as_a_user_message_that_every_format_keeps() -> None:
    plan = decide(turns(150), None, context_length=80_000)
    sent = planning.assemble(plan, "THE SUMMARY")
    assert len(sent) == 21
    for form in ("anthropic", "openai", "text"):
        first = build(sent, form)[0]
        assert first["role"] == "user"
        assert first["content"].endswith("THE SUMMARY")


def test_the_events_carry_the_recorded_fields() -> None:
    plan = decide(turns(150), None, context_length=80_000)
    assert planning.started_event(plan) == {"message_count": 300, "token_count": 45_000}
    done = planning.completed_event(plan, "short")
    assert (done["totalMessages"], done["resultMessages"], done["verbatimCount"]) == (300, 21, 20)
    assert (done["beforeTokens"], done["summaryTokens"]) == (45_000, 1)
    assert 3_000 < done["afterTokens"] < 3_200
    assert "error" not in done


def test_old_tool_output_shrinks_only_over_the_threshold() -> None:
    rows = [dict(row, content="x" * 500) for row in turns(15, size=4)]
    assert planning.assemble(decide(rows, None)) == rows
    failed = LastCompression(at=0, succeeded=False, after_tokens=0)
    over = planning.assemble(decide(rows, None, context_length=100, last=failed))
    lengths = [len(row["content"]) for row in over if row["role"] == "tool"]
    assert set(lengths[:20]) == {len("[unknown] ") + 103}
    assert set(lengths[20:]) == {500}


def test_the_prompts_ask_for_what_a_successor_needs() -> None:
    plan = decide(turns(150), None, context_length=80_000)
    prompt = planning.summary_prompt(plan)
    for section in f"{SECTIONS};{MORE_SECTIONS}".split(";"):
        assert f"## {section}\n" in prompt
    assert "reference only" in SUMMARY_PREFIX
    assert "do not answer it" in SUMMARY_PREFIX


@given(
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=30),
    covered=st.integers(0, 30),
    context=st.integers(100, 100_000),
)
def test_no_message_is_lost_between_summary_and_rest(
    sizes: list[int], covered: int, context: int
) -> None:
    rows = list(
        itertools.chain.from_iterable(turns(1, size, first=at) for at, size in enumerate(sizes, 1))
    )
    snapshot = snapshot_of(rows, covered) if covered else None
    after = [row for row in rows if row["turn_no"] > covered]
    plan = decide(after, snapshot, covered=len(rows) - len(after), context_length=context)
    assert list(plan.rest) == after
    if plan.compresses:
        _assert_whole_turns(plan)


def _assert_whole_turns(plan: Plan) -> None:
    assert len(plan.tail) >= planning.TAIL
    assert plan.tail[0]["turn_no"] > plan.last_turn
    following = planning.next_snapshot(plan, "s")
    assert following.turn_no == plan.head[-1]["turn_no"]
