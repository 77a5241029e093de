"""What a reader had and what it is given make the run, whatever happened to the log meanwhile."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.event_log.types import LogView
from shared.protocol.events import decode, encode
from shared.protocol.state_events import StateEvents
from shared.protocol.transcript import Transcript
from web.readers.place import NoPosition, Place, parse, start_of
from web.readers.replay import BeyondTheEnd, IncompleteLog, PositionGone, Replay, Start

RUN = "run_1"
Event = tuple[str, dict[str, Any]]

DELTAS = st.builds(lambda text: ("message.delta", {"delta": text}), st.text("aé😀 \n", min_size=1))
THOUGHTS = st.builds(lambda text: ("reasoning.delta", {"text": text}), st.text("xy", min_size=1))
STARTS = st.builds(
    lambda name, call: ("tool.started", {"tool": name} | ({"tool_call_id": call} if call else {})),
    st.sampled_from("pq"),
    st.sampled_from(["", "1", "2"]),
)
ENDS = st.builds(
    lambda name, call: (
        "tool.completed",
        {"tool": name, "output": "o"} | ({"tool_call_id": call} if call else {}),
    ),
    st.sampled_from("pq"),
    st.sampled_from(["", "1", "2"]),
)
ASKS = st.just(("approval.request", {"command": "rm"}))
EVENTS = st.lists(st.one_of(DELTAS, THOUGHTS, STARTS, ENDS, ASKS), max_size=12)


def entries(events: list[Event], epoch: int = 1) -> list[bytes]:
    return [
        encode(name, {**fields, "event": name, "run_id": RUN, "epoch": epoch, "seq": seq})
        for seq, (name, fields) in enumerate(events, start=1)
    ]


def view(
    log: list[bytes], *, base: int = 0, epoch: int = 1, after: int = 0, ended: bool = False
) -> LogView:
    """The log after `after`, folded up to `base`."""
    transcript, state = Transcript(RUN, None), StateEvents()
    for entry in log[:base]:
        transcript.apply(decode(entry)[1])
        state.apply(decode(entry)[1])
    fold = {"transcript": transcript.to_state(), "state_events": state.to_state()}
    first = max(base, after) + 1
    return LogView(
        run_id=RUN,
        epoch=epoch,
        fence=1,
        head=len(log),
        base=base,
        ended=ended,
        first=first,
        entries=log[first - 1 :],
        checkpoint=orjson.dumps(fold) if base else None,
    )


def frames(start: Start) -> list[tuple[Place, dict[str, Any]]]:
    """Place and event of each frame."""
    found = []
    for one in start.frames:
        head, data = one.decode().strip().split("\n")
        place = parse(head.removeprefix("id: "))
        assert isinstance(place, Place)
        found.append((place, json.loads(data.removeprefix("data: "))))
    return found


def shown(events: list[dict[str, Any]]) -> tuple[str, str, list[str], list[str]]:
    """Answer, reasoning, started and completed tools, as a client has them after these events."""
    text = thoughts = ""
    started, completed = [], []
    for event in events:
        match event["event"]:
            case "message.delta":
                text += event["delta"]
            case "message.snapshot":
                text = event["text"]
            case "reasoning.delta":
                thoughts += event["text"]
            case "tool.started":
                started.append(event["tool"])
            case "tool.completed":
                completed.append(event["tool"])
    return text, thoughts, started, sorted(completed)


@given(EVENTS, st.data())
def test_what_was_had_and_what_is_given_is_the_run(
    events: list[Event], data: st.DataObject
) -> None:
    log = entries(events)
    whole = frames(Replay(view(log), None).after(None))
    known = shown([event for _, event in whole])
    base = data.draw(st.integers(0, len(log)), "folded up to")
    replay = Replay(view(log, base=base), None)
    condensed = frames(replay.after(None))
    for had in (whole, condensed):
        count = data.draw(st.integers(0, len(had)), "had")
        cursor = had[count - 1][0] if count else None
        rest = frames(replay.after(cursor))
        both = [event for _, event in (*had[:count], *rest)]
        assert "message.snapshot" not in [event["event"] for event in both]
        got = shown(both)
        assert got[:3] == known[:3]
        assert len(got[3]) <= len(known[3]), "no tool is completed twice"
        end = replay.after(None).place
        assert len(got[3]) >= end.tools - len(end.open)
    assert replay.after(None).place.counts == Replay(view(log), None).after(None).place.counts


@given(EVENTS, EVENTS, st.data())
def test_another_epoch_goes_on_or_shows_the_text_anew(
    first: list[Event], second: list[Event], data: st.DataObject
) -> None:
    had = frames(Replay(view(entries(first)), None).after(None))
    count = data.draw(st.integers(0, len(had)), "had")
    replay = Replay(view(entries(second, 2), epoch=2), None)
    rest = frames(replay.after(had[count - 1][0] if count else start_of(RUN)))
    both = [event for _, event in (*had[:count], *rest)]
    assert shown(both)[0] == shown([e for _, e in frames(replay.after(None))])[0]


@given(EVENTS, st.data())
def test_a_log_that_is_extended_is_the_log_that_is_read_at_once(
    events: list[Event], data: st.DataObject
) -> None:
    log = entries(events)
    cut = data.draw(st.integers(0, len(log)))
    replay = Replay(view(log[:cut]), None)
    more = view(log, after=cut)
    assert replay.continues(more)
    replay.extend(more)
    at_once = Replay(view(log), None)
    strip = [(place, event["event"]) for place, event in frames(at_once.after(None))]
    assert [(p, e["event"]) for p, e in frames(replay.after(None))] == strip
    assert not replay.continues(view(log, epoch=2, after=len(log)))


def test_numbers_are_positions_as_far_as_they_say_enough() -> None:
    log = entries([("message.delta", {"delta": letter}) for letter in "abc"])
    replay = Replay(view(log), None)
    assert [event["delta"] for _, event in frames(replay.after(1))] == ["b", "c"]
    assert frames(replay.after(3)) == []
    with pytest.raises(BeyondTheEnd):
        replay.after(4)
    folded = Replay(view(log, base=2), None)
    assert [event["delta"] for _, event in frames(folded.after(2))] == ["c"]
    assert [event["delta"] for _, event in frames(folded.after(0))] == ["ab", "c"]
    with pytest.raises(PositionGone):
        folded.after(1)


def test_a_log_without_its_beginning_is_not_shown() -> None:
    log = entries([("message.delta", {"delta": letter}) for letter in "abc"])
    lost = view(log, base=2)
    with pytest.raises(IncompleteLog):
        Replay(LogView(**{**vars(lost), "checkpoint": None}), None)


@pytest.mark.parametrize(
    "text",
    ["", "x", "-1", "1.0", "1-2", "1-2-3-4-5--0000000g", "1-1-1-1-1-2-00000000", "٣", "1" * 16],
)
def test_a_text_that_is_no_position_is_refused(text: str) -> None:
    with pytest.raises(NoPosition):
        parse(text)


@given(
    st.integers(0, 10**9 - 1), st.integers(0, 10**15 - 1), st.integers(0, 10**6), st.integers(0, 99)
)
def test_an_id_is_read_back(epoch: int, seq: int, text: int, tools: int) -> None:
    place = Place(epoch, seq, text, 5, tools, (), 0xABC)
    found = parse(place.id)
    assert found == place
