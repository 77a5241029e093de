"""Characters that a gateway cuts between two deltas are shown whole (CASES C7)."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.protocol.events import DELTAS
from worker.gateway.delta_merge import merge_deltas
from worker.gateway.stream.sse_parser import EventParser
from worker.gateway.translate_events import translate

Event = dict[str, Any]
END = {"event": "run.completed"}


def frame(event: Event) -> bytes:
    return f"data: {json.dumps(event)}\n\n".encode()


def told(reads: list[bytes]) -> dict[str, str]:
    """The text of each kind of delta, as clients get it."""
    parser = EventParser(10**6)
    texts: dict[str, str] = {}
    for events in [*(parser.feed(read) for read in reads), parser.end()]:
        for event in merge_deltas(events):
            for name, payload in translate(event, 100_000):
                if name in DELTAS:
                    text = payload.get("text", "") + payload.get("delta", "")
                    texts[name] = texts.get(name, "") + text
    return texts


def halves(text: str) -> list[str]:
    """The text in its UTF-16 units, as a writer that cuts anywhere may send them."""
    units = text.encode("utf-16-le", "surrogatepass")
    return [units[n : n + 2].decode("utf-16-le", "surrogatepass") for n in range(0, len(units), 2)]


@given(
    st.text(
        st.characters(min_codepoint=0x1F600, max_codepoint=0x1F640) | st.characters(codec="utf-8")
    ),
    st.data(),
)
def test_a_text_cut_anywhere_is_the_same_text_however_it_is_read(text: str, data: Any) -> None:
    units = halves(text)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(units)))) | {0, len(units)})
    parts = ["".join(units[a:b]) for a, b in pairwise(cuts)]
    between = data.draw(st.lists(st.booleans(), min_size=len(parts), max_size=len(parts)))
    frames: list[bytes] = []
    for part, noise in zip(parts, between, strict=True):
        frames.append(frame({"event": "message.delta", "delta": part}))
        if noise:
            frames.append(frame({"event": "subagent.progress", "n": 1}))
            frames.append(frame({"event": "reasoning.delta", "text": "x"}))
    frames.append(frame(END))
    body = b"".join(frames)
    size = data.draw(st.integers(1, max(len(body), 1)))
    reads = [body[n : n + size] for n in range(0, len(body), size)]
    clean = text.replace("\0", "\ufffd")
    for way in (frames, [body], reads):
        assert told(way).get("message.delta", "") == clean


def test_two_kinds_wait_apart() -> None:
    smile, high, low = "\U0001f600", "\ud83d", "\ude00"
    events = [
        {"event": "message.delta", "delta": "a" + high},
        {"event": "reasoning.delta", "text": "b" + high},
        {"event": "message.delta", "delta": low + "c"},
        {"event": "reasoning.delta", "text": low + "d"},
        END,
    ]
    expected = {"message.delta": f"a{smile}c", "reasoning.delta": f"b{smile}d"}
    assert told([frame(event) for event in events]) == expected


@pytest.mark.parametrize("end", ["run.completed", "run.failed", "run.cancelled"])
def test_a_lone_half_at_the_end_is_shown_as_a_replacement(end: str) -> None:
    events = [{"event": "message.delta", "delta": "a\ud83d"}, {"event": end}]
    assert told([frame(event) for event in events]) == {"message.delta": "a\ufffd"}
    parser = EventParser(10**6)
    names = [e["event"] for e in parser.feed(b"".join(frame(event) for event in events))]
    assert names == ["message.delta", "message.delta", end]


HIGH, LOW = chr(0xD83D), chr(0xDE00)


@pytest.mark.parametrize(("first", "second"), [(HIGH, "x"), (LOW, "x"), (HIGH, HIGH)])
def test_halves_that_do_not_fit_become_replacements(first: str, second: str) -> None:
    events = [{"event": "message.delta", "delta": text} for text in (first, second)]
    expected = "\ufffd" + ("x" if second == "x" else "\ufffd")
    assert told([frame(event) for event in [*events, END]]) == {"message.delta": expected}


def test_a_half_does_not_wait_for_ever_beside_empty_deltas() -> None:
    events: list[Event] = [
        {"event": "message.delta", "delta": "\ud83d"},
        {"event": "message.delta", "delta": ""},
        {"event": "message.delta", "delta": None},
        {"event": "message.delta", "delta": "\ude00"},
    ]
    assert told([frame(event) for event in events]) == {"message.delta": "\U0001f600"}


@given(st.integers(1, 5), st.booleans())
def test_a_byte_order_mark_in_several_reads_is_none(size: int, marked: bool) -> None:
    body = (b"\xef\xbb\xbf" if marked else b"") + frame({"event": "message.delta", "delta": "a"})
    reads = [body[n : n + size] for n in range(0, len(body), size)]
    assert told(reads) == {"message.delta": "a"}


def test_halves_are_joined_in_the_field_whose_text_is_shown() -> None:
    both = [{"delta": half, "text": half} for half in (HIGH, LOW)]
    for name in ("message.delta", "reasoning.delta"):
        frames = [frame({"event": name, **event}) for event in both]
        assert told(frames) == {name: "\U0001f600"}
