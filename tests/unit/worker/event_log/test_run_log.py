"""One run's end of the log: merging, freezing, remembering (R16, R29)."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

import orjson
import pytest

from shared.event_log.keys import RunKeys
from shared.event_log.types import Batch
from shared.protocol import events
from shared.protocol.events import decode
from shared.protocol.transcript import Transcript
from worker.event_log.run_log import BATCH_BYTES, BATCH_ENTRIES, MERGED_CHARS, RunLog
from worker.event_log.stream_position import StreamPosition
from worker.gateway.translate_events import translate


def make(head: int = 0, on_lost: Callable[[], None] = lambda: None) -> RunLog:
    keys = RunKeys("tag", "run_1")
    return RunLog(keys, fence=1, epoch=1, head=head, session_id="s", on_lost=on_lost)


def flushed(log: RunLog) -> list[tuple[str, dict[str, object]]]:
    """Send everything that waits; the events that were sent."""
    sent: list[tuple[str, dict[str, object]]] = []
    while (batch := log.freeze()) is not None:
        sent += [decode(entry) for entry in batch.entries]
        log.acknowledge()
    return sent


def test_adjacent_deltas_become_one_event() -> None:
    log = make()
    for text in ("a", "b", "c"):
        log.add("message.delta", {"delta": text})
    assert [(name, p["delta"], p["seq"]) for name, p in flushed(log)] == [
        ("message.delta", "abc", 1)
    ]


def test_deltas_do_not_merge_across_another_event_or_kind_or_field() -> None:
    log = make()
    log.add("message.delta", {"delta": "a"})
    log.add("reasoning.delta", {"text": "b"})
    log.add("reasoning.delta", {"delta": "c"})
    log.add("tool.started", {"tool": "t"})
    log.add("message.delta", {"delta": "d"})
    assert [name for name, _ in flushed(log)] == [
        "message.delta",
        "reasoning.delta",
        "reasoning.delta",
        "tool.started",
        "message.delta",
    ]


def test_a_merged_delta_stays_a_small_event() -> None:
    log = make()
    for _ in range(50):
        log.add("message.delta", {"delta": "x" * (MERGED_CHARS // 10)})
    sizes = [len(str(payload["delta"])) for _, payload in flushed(log)]
    assert sum(sizes) == 50 * (MERGED_CHARS // 10)
    assert max(sizes) <= MERGED_CHARS < 2 * min(sizes)


def test_a_text_that_was_cut_at_the_size_limit_stays_cut() -> None:
    log = make()
    pieces = [*translate({"event": "message.delta", "delta": "x" * 50_000}, 4 * MERGED_CHARS)]
    for name, payload in pieces:
        log.add(name, payload)
    assert [payload["delta"] for _, payload in flushed(log)] == [p["delta"] for _, p in pieces]


def test_nothing_merges_into_a_frozen_batch() -> None:
    log = make()
    log.add("message.delta", {"delta": "a"})
    first = log.freeze()
    log.add("message.delta", {"delta": "b"})
    assert log.freeze() is first
    log.acknowledge()
    second = log.freeze()
    assert first is not None
    assert second is not None
    assert [decode(e)[1]["delta"] for e in first.entries + second.entries] == ["a", "b"]
    assert (first.head, second.head) == (0, 1)


def test_every_event_says_whose_it_is_and_where_it_stands() -> None:
    log = make(head=4)
    log.add("tool.started", {"tool": "t", "timestamp": 1.5})
    assert flushed(log) == [
        (
            "tool.started",
            {
                "tool": "t",
                "timestamp": 1.5,
                "event": "tool.started",
                "run_id": "run_1",
                "session_id": "s",
                "epoch": 1,
                "seq": 5,
            },
        )
    ]


def test_large_amounts_go_in_several_batches() -> None:
    log = make()
    for _ in range(3):
        log.add("tool.completed", {"output": "x" * (BATCH_BYTES // 2)})
    sizes = []
    while (batch := log.freeze()) is not None:
        sizes.append(len(batch.entries))
        log.acknowledge()
    assert sizes == [1, 1, 1]


def test_a_log_that_is_taken_over_goes_on_with_the_same_fold() -> None:
    log = make()
    log.add("message.delta", {"delta": "one "})
    flushed(log)
    fold = log.fold()
    log.cut(fold)
    log.add("message.delta", {"delta": "two "})
    flushed(log)
    heir = make(head=2)
    heir.restore(log.checkpoint, log.base, log.tail)
    heir.add("message.delta", {"delta": "three"})
    flushed(heir)
    assert heir.transcript.segments() == ["one two three"]
    assert (heir.base, heir.head) == (1, 3)


def test_the_position_in_the_stream_counts_what_waits_as_well_and_the_fold_does_not() -> None:
    log = make()
    log.add("message.delta", {"delta": "sent "})
    flushed(log)
    log.add("run.reattached", {"mode": "polling"})
    log.add("tool.started", {"tool": "t"})
    log.add("reasoning.delta", {"text": "waits"})
    assert log.position() == StreamPosition(characters=10, others=1, certain=False)
    assert orjson.loads(log.fold())["place"] == [5, 0, True]


def test_everything_added_has_what_waits_as_well_and_stays_as_it_is() -> None:
    log = make()
    log.add("message.delta", {"delta": "sent, "})
    flushed(log)
    log.add("message.delta", {"delta": "frozen, "})
    log.freeze()
    log.add("message.delta", {"delta": "waiting"})
    added = log.everything_added()
    log.add("tool.started", {"tool": "t"})
    assert added.segments() == ["sent, frozen, waiting"]
    assert [message["role"] for message in added.messages()] == ["assistant"]
    assert log.transcript.segments() == ["sent, frozen, "]


def test_a_log_that_is_closed_ends_with_the_batch_that_is_on_its_way() -> None:
    log = make()
    assert log.close() == 0
    for number in range(BATCH_ENTRIES + 1):
        log.add("tool.started", {"tool": str(number)})
    assert log.close() == BATCH_ENTRIES
    log.acknowledge()
    assert log.idle, "the rest is dropped"
    assert log.close() == log.head == BATCH_ENTRIES


def test_two_threads_that_freeze_get_the_same_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    run_log = make()
    for number in range(2 * BATCH_ENTRIES):
        run_log.add("tool.started", {"tool": str(number)})
    found: list[Batch | None] = []
    others: list[threading.Thread] = []
    encode = events.encode

    def slow(name: str, payload: Mapping[str, Any]) -> bytes:
        if not others:
            others.append(threading.Thread(target=lambda: found.append(run_log.freeze())))
            others[0].start()
            others[0].join(0.2)  # without the lock it has begun its own batch by then
        return encode(name, payload)

    monkeypatch.setattr(events, "encode", slow)
    first = run_log.freeze()
    others[0].join()
    assert first is found[0] is run_log.freeze()


def test_a_cut_leaves_only_what_came_after_it_in_memory() -> None:
    log = make()
    for number in range(5):
        log.add("tool.started", {"tool": str(number)})
    flushed(log)
    assert log.tail_bytes == sum(map(len, log.tail)) > 0
    log.cut(log.fold())
    assert (log.tail, log.tail_bytes, log.base) == ([], 0, 5)
    state = orjson.loads(log.checkpoint)["transcript"]
    assert len(Transcript.from_state(state).messages()) == 5


def test_a_lost_log_takes_nothing_more_and_says_so_once() -> None:
    told: list[str] = []
    log = make(on_lost=lambda: told.append("lost"))
    log.add("message.delta", {"delta": "a"})
    log.lose()
    log.lose()
    log.add("message.delta", {"delta": "b"})
    assert (told, log.freeze(), log.wait_settled(1)) == (["lost"], None, False)


def test_waiting_for_an_idle_log_takes_no_time_and_for_a_busy_one_ends() -> None:
    log = make()
    assert log.wait_settled(0)
    log.add("message.delta", {"delta": "a"})
    assert not log.wait_settled(0.01)


def test_a_delta_that_comes_while_a_batch_is_encoded_is_not_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With threads that interrupt each other, as outside a green process."""
    run_log = make()
    adding: list[threading.Thread] = []
    encode = events.encode

    def slow(name: str, payload: Mapping[str, Any]) -> bytes:
        entry = encode(name, payload)
        if not adding:
            late = ("message.delta", {"delta": "late"})
            adding.append(threading.Thread(target=run_log.add, args=late))
            adding[0].start()
            adding[0].join(0.2)  # without the lock it has merged its text by then
        return entry

    monkeypatch.setattr(events, "encode", slow)
    run_log.add("message.delta", {"delta": "early "})
    first = run_log.freeze()
    assert first is not None
    adding[0].join()
    run_log.acknowledge()
    second = run_log.freeze()
    assert second is not None
    texts = [decode(entry)[1]["delta"] for batch in (first, second) for entry in batch.entries]
    assert texts == ["early ", "late"]


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "bad", [{"data": nested(300)}, {"data": {1, 2}}, {"data": 2**70}, {"data": "\ud83d"}]
)
def test_an_event_that_cannot_be_encoded_is_left_out_and_the_others_stay(
    bad: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    log = make()
    log.add("message.delta", {"delta": "a"})
    log.add("subagent.progress", bad)
    log.add("message.delta", {"delta": "b"})
    before = log.position()
    sent = [(name, p.get("delta"), p["seq"]) for name, p in flushed(log)]
    assert sent == [("message.delta", "a", 1), ("message.delta", "b", 2)]
    assert log.idle
    assert log.broke_off  # clients are told at the end to read again
    assert log.position() == before == StreamPosition(2, 1)  # it was one of the stream's events
    assert "event.dropped" in caplog.text
    assert "subagent.progress" in caplog.text


def test_a_batch_of_nothing_but_such_events_is_none() -> None:
    log = make()
    for _ in range(40):
        log.add("subagent.progress", {"data": nested(300)})
    assert log.freeze() is None
    assert log.idle
    assert log.head == 0
