"""The numbers of a response's events: the same for all pieces, and each a place to go on from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.protocol.streamed import events_of, parts_of
from shared.protocol.transcript import Transcript
from web.api.http.openai.response_events import DELTA, Numbered, ResponseEvents, after

Event = tuple[str, dict[str, Any]]

TEXTS = st.text(alphabet="ab \n🙂", min_size=1, max_size=6)


@st.composite
def logs(draw: st.DrawFn) -> list[Event]:
    """Events of a run: pieces of text, reasoning, and tools that end in any order, or never."""
    events: list[Event] = []
    still_open: list[dict[str, Any]] = []
    for number in range(draw(st.integers(0, 12))):
        kind = draw(st.sampled_from(["text", "text", "reasoning", "start", "end"]))
        if kind == "text":
            events.append(("message.delta", {"delta": draw(TEXTS)}))
        elif kind == "reasoning":
            events.append(("reasoning.delta", {"text": draw(TEXTS)}))
        elif kind == "start":
            call_id = draw(st.sampled_from(["", f"call{number}"]))
            tool = {"tool": draw(st.sampled_from("xy")), "tool_call_id": call_id}
            still_open.append(tool)
            events.append(("tool.started", tool))
        elif still_open:
            events.append(
                ("tool.completed", still_open.pop(draw(st.integers(0, 9)) % len(still_open)))
            )
    return events


def made_of(log: Iterable[Event], output: str | None = None) -> list[Numbered]:
    events = ResponseEvents("resp_1")
    made = [one for name, event in log for one in events.apply(name, event)]
    made += events.end(output)
    return [*made, Numbered(events.next, "response.completed", {})]


def folded(log: Sequence[Event]) -> list[Event]:
    """The log as it is stored at the end of its run."""
    transcript = Transcript("run_1")
    for name, event in log:
        transcript.apply({"event": name, **event})
    return list(events_of(parts_of(transcript.messages())))


def named(events: Iterable[Numbered]) -> dict[int, Numbered]:
    return {event.number: event for event in events if event.type != DELTA}


def text_of(events: Iterable[Numbered]) -> str:
    return "".join(event.fields["delta"] for event in events if event.type == DELTA)


def characters(events: Iterable[Numbered]) -> Iterator[tuple[int, str]]:
    """Each character of the text with its own number."""
    for event in events:
        if event.type == DELTA:
            first = event.number - len(event.fields["delta"]) + 1
            yield from enumerate(event.fields["delta"], start=first)


@given(logs())
def test_a_folded_log_has_the_same_numbers_as_the_log(log: list[Event]) -> None:
    live, stored = made_of(log), made_of(folded(log))
    assert named(live) == named(stored)
    assert list(characters(live)) == list(characters(stored))


@given(logs(), st.integers(-1, 60))
def test_what_follows_any_number_makes_the_whole(log: list[Event], number: int) -> None:
    live = made_of(log)
    had = [c for at, c in characters(live) if at <= number]
    for source in (live, made_of(folded(log))):
        rest = list(after(number, source))
        assert "".join(had) + text_of(rest) == text_of(live)
        assert named(rest) == {n: e for n, e in named(live).items() if n > number}


@given(logs())
def test_numbers_rise(log: list[Event]) -> None:
    numbers = [event.number for event in made_of(log)]
    assert all(first < second for first, second in pairwise(numbers))
    assert numbers[0] > 1


@given(logs())
def test_every_item_is_added_and_done_once_and_in_order(log: list[Event]) -> None:
    made = made_of(log)
    done = [e.fields["output_index"] for e in made if e.type == "response.output_item.done"]
    added = [e.fields["output_index"] for e in made if e.type == "response.output_item.added"]
    assert added == list(range(len(added)))
    assert sorted(done) == added


def test_tools_at_once_are_called_first_and_then_have_their_outputs() -> None:
    log: list[Event] = [
        ("tool.started", {"tool": "a", "tool_call_id": "1"}),
        ("tool.started", {"tool": "b", "tool_call_id": "2"}),
        ("tool.completed", {"tool": "b", "tool_call_id": "2", "output": "of b"}),
        ("tool.completed", {"tool": "a", "tool_call_id": "1", "output": "of a"}),
        ("message.delta", {"delta": "done"}),
    ]
    items = [e.fields["item"] for e in made_of(log) if e.type == "response.output_item.done"]
    shown = [(item["type"], item.get("call_id")) for item in items]
    assert shown == [
        ("function_call", "1"),
        ("function_call", "2"),
        ("function_call_output", "1"),
        ("function_call_output", "2"),
        ("message", None),
    ]
    assert [item["output"][0]["text"] for item in items[2:4]] == ["of a", "of b"]


def test_an_answer_that_was_not_streamed_comes_with_the_end() -> None:
    assert text_of(made_of([], "answer")) == "answer"
    assert text_of(made_of([("message.delta", {"delta": "shown"})], "answer")) == "shown"
