"""A gateway's stream is the same events however it is cut into reads, plain or not (R1, P12)."""

from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import StreamBroken
from worker.gateway.delta_merge import merge_deltas
from worker.gateway.stream.sse_parser import UNCLEAN, EventParser, any_events, plain_events
from worker.gateway.translate_events import translate

TEXT = st.text(max_size=20)
EVENT = st.fixed_dictionaries(
    {"event": st.sampled_from(["message.delta", "reasoning.delta", "tool.started"])},
    optional={"delta": TEXT, "text": TEXT, "timestamp": st.floats(0, 2e9)},
)
NOISE = st.sampled_from([b": keepalive\n\n", b"event: x\nid: 7\n\n", b"data: nonsense\n\n"])


def read(chunks: list[bytes], max_event: int = 10_000_000) -> list[dict[str, Any]]:
    parser = EventParser(max_event)
    events = [event for chunk in chunks if chunk for event in parser.feed(chunk)]
    return events + parser.end()


def frame(event: dict[str, Any], end: bytes = b"\n") -> bytes:
    return b"data: " + orjson.dumps(event) + 2 * end


@given(
    st.lists(EVENT | NOISE, max_size=12),
    st.lists(st.integers(1, 60), max_size=40),
    st.sampled_from([b"\n", b"\r\n", b"\r"]),
)
def test_reads_of_any_size_and_line_ends_of_any_kind_give_the_same_events(
    items: list[dict[str, Any] | bytes], sizes: list[int], end: bytes
) -> None:
    body = b"".join(
        item.replace(b"\n", end) if isinstance(item, bytes) else frame(item, end) for item in items
    )
    chunks: list[bytes] = []
    at = 0
    for size in sizes:
        chunks.append(body[at : at + size])
        at += size
    chunks.append(body[at:])
    sent = [item for item in items if isinstance(item, dict)]
    assert clean([e for e in read(chunks) if "event" in e]) == clean(sent)


def clean(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """With U+FFFD for NUL, which no database stores as text."""
    return [
        {k: v.replace("\0", "\ufffd") if isinstance(v, str) else v for k, v in event.items()}
        for event in events
    ]


FEW = b"".join(
    item.replace(b"\n", b"\r\n")
    for item in (
        frame({"event": "message.delta", "delta": "a\U0001f600é"}),
        b": keepalive\n\n",
        b'data: {"event": "tool.started",\ndata: "tool": "ls"}\n\n',
        frame({"event": "reasoning.delta", "text": "\u0000\u20ac"}),
    )
)
ONCE = read([FEW])


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\r\n", b"\r", b"\n"])
def test_a_cut_at_any_offset_or_two_and_reads_of_nothing_change_nothing(
    mark: bytes, end: bytes
) -> None:
    body = mark + FEW.replace(b"\r\n", end)
    for at in range(len(body) + 1):
        assert fed([body[:at], b"", body[at:], b""]) == ONCE
        assert fed([body[:at], b"", b"", body[at : at + 1], b"", body[at + 1 :]]) == ONCE
    assert fed([piece for n in range(len(body)) for piece in (body[n : n + 1], b"")]) == ONCE


def fed(chunks: list[bytes]) -> list[dict[str, Any]]:
    """Of whole events nothing waits for what follows: `end` has none."""
    parser = EventParser(10_000)
    return [event for chunk in chunks for event in parser.feed(chunk)]


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode), st.integers(1, 9))
def test_bytes_of_any_kind_between_events_do_no_harm(noise: bytes, size: int) -> None:
    body = frame({"a": 1}) + noise + b"\n\n" + frame({"b": 2})
    found = read([body[n : n + size] for n in range(0, len(body), size)])
    assert [found[0], found[-1]] == [{"a": 1}, {"b": 2}]


@pytest.mark.parametrize("data", ["", "[1]", "5", "{broken", '"text"', "null"])
def test_data_that_is_no_object_is_skipped(data: str) -> None:
    assert read([f"data: {data}\n\n".encode()]) == []


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (rb'{"delta": "a\u0000b\ud83dc"}', "a\ufffdb\ufffdc"),
        (rb'{"delta": "\ud83d\ude00"}', "\U0001f600"),
        (b'{"delta": "a\tb\xff"}', "a\tb\ufffd"),
        (b'{"delta": "x", "n": ' + b"9" * 5000 + b"}", "x"),
        (b'{"delta": "x", "n": [NaN, -Infinity, 1e999]}', "x"),
        (b'{"delta": "x", "n": ' + b"[" * 5000 + b"]" * 5000 + b"}", "x"),
    ],
)
def test_a_text_beside_anything_is_kept_and_can_be_stored(data: bytes, text: str) -> None:
    (event,) = read([b"data: " + data + b"\n\n"])
    ((_, payload),) = translate({"event": "message.delta", **event}, 10_000)
    assert payload["delta"] == text


@given(st.lists(EVENT, min_size=1, max_size=10))
def test_the_short_way_gives_what_the_long_way_gives(events: list[dict[str, Any]]) -> None:
    block = b"".join(map(frame, events))
    short = plain_events(block)
    assert (short is None) == any(escape in block for escape in UNCLEAN)
    assert short in (None, any_events(block))


@pytest.mark.parametrize(
    "block",
    [
        b": comment\n\n",
        b'data: {"a": 1}\ndata: {"b": 2}\n\n',
        b'data: {"a": 1}\nid: 4\n\n',
        b'data: {"a": "\\u0000"}\n\n',
        b'data: {"a": "\\ud800"}\n\n',
        b'data: {"a": "\xff"}\n\n',
        b"data: {broken\n\n",
        b'data:{"a": 1}\n\n',
    ],
)
def test_what_is_not_plain_is_left_to_the_long_way(block: bytes) -> None:
    assert plain_events(block) is None


def test_an_event_that_never_ends_breaks_the_stream() -> None:
    with pytest.raises(StreamBroken):
        read([b"data: ", *[b"x" * 100] * 20], max_event=1000)


def test_a_last_event_without_an_empty_line_is_heard() -> None:
    assert read([b'data: {"event": "run.completed"}\n']) == [{"event": "run.completed"}]


@given(st.lists(EVENT, max_size=12))
def test_merged_deltas_tell_the_same_text_in_the_same_order(events: list[dict[str, Any]]) -> None:
    assert told(merge_deltas(events)) == told(events)


def told(events: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    """Names and texts as clients get them, neighbours of one kind and field joined."""
    joined: list[tuple[str, str]] = []
    for event in events:
        for name, payload in translate(event, 1_000_000):
            field = "text" if "text" in payload else "delta"
            key = f"{name}.{field}"
            if name != "tool.started" and joined and joined[-1][0] == key:
                joined[-1] = (key, joined[-1][1] + payload[field])
            else:
                joined.append((key, str(payload.get(field, ""))))
    return joined


def test_merging_merges() -> None:
    deltas = [{"event": "message.delta", "delta": f"{n} ", "timestamp": n} for n in range(100)]
    (merged,) = merge_deltas(deltas)
    assert merged["timestamp"] == 0
    assert merged["delta"] == "".join(f"{n} " for n in range(100))
