"""What the bench kit says about tokens, frames and results."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench.load.spread import Spread
from tests.bench.load.websocket import Frames
from tests.bench.report import report
from tests.bench.report.results import Results
from tests.bench.report.verdict import judge
from tests.bench.smoke import moved

Event = dict[str, object]
ALWAYS = (0.0, 100.0)


class Told:
    """A line with these events, each a second after the one before."""

    socket: socket.socket
    began, begun, ended = 0.0, True, True

    def __init__(self, *events: Event) -> None:
        self.arrivals: list[tuple[float, bytes]] = []
        self._events = events

    def start(self, now: float) -> None:
        raise NotImplementedError

    def read(self, now: float) -> None:
        raise NotImplementedError

    def events(self) -> Iterator[tuple[float, Event]]:
        yield from ((1.0 + n, event) for n, event in enumerate(self._events))


def delta(seq: int, text: str) -> Event:
    return {"event": "message.delta", "seq": seq, "delta": text}


def end(seq: int, name: str = "run.completed") -> Event:
    return {"event": name, "seq": seq}


def test_latency_is_from_when_a_token_was_said_to_when_its_frame_came() -> None:
    told = Told(delta(1, "1 2 "), delta(2, "3 "), end(3))
    verdict = judge(told, "run", 3, [0.5, 0.75, 1.5], ALWAYS)
    assert verdict.faults == []
    assert list(verdict.latencies) == [500.0, 250.0, 500.0]


def test_only_the_steady_part_has_latencies() -> None:
    told = Told(delta(1, "1 2 "), delta(2, "3 "), end(3))
    verdict = judge(told, "run", 3, [0.5, 0.75, 1.5], (1.5, 100.0))
    assert list(verdict.latencies) == [500.0]


@pytest.mark.parametrize(
    "told",
    [
        Told(delta(1, "1 "), delta(2, "3 "), end(3)),
        Told(delta(1, "1 2 "), delta(2, "2 3 "), end(3)),
        Told(delta(1, "2 1 "), delta(2, "3 "), end(3)),
        Told(delta(1, "1 2 3 "), end(3)),
        Told(delta(1, "1 2 3 "), end(2, "run.failed")),
        Told(delta(1, "1 2 3 ")),
    ],
    ids=["lost", "doubled", "out of order", "a gap in seq", "failed", "without end"],
)
def test_what_is_not_whole_is_a_fault(told: Told) -> None:
    assert judge(told, "run", 3, [0.5, 0.75, 1.5], ALWAYS).faults


@pytest.mark.parametrize("piece", [1, 3, 1000])
def test_frames_are_found_however_the_bytes_are_cut(piece: int) -> None:
    payloads = [b"2", b"x" * 200, b"y" * 70_000]
    heads = [b"\x81\x01", b"\x81\x7e\x00\xc8", b"\x81\x7f" + (70_000).to_bytes(8, "big")]
    data = b"".join(head + payload for head, payload in zip(heads, payloads, strict=True))
    frames = Frames()
    cuts = range(0, len(data), piece)
    assert [f for at in cuts for f in frames.feed(data[at : at + piece])] == payloads


def test_tables_and_plots_take_the_place_of_the_last_ones(tmp_path: Path) -> None:
    results = Results(tmp_path / "results.json")
    numbers = {"tokens/s": Spread(10.0, 9.0, 11.0), "direct tokens/s": Spread(20.0, 19.0, 21.0)}
    results.put("by_runs", "sqlite", {"1": numbers, "20": numbers})
    document = tmp_path / "PERFORMANCE.md"
    document.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    report.write(Results(tmp_path / "results.json"), document, tmp_path / "performance")
    text = document.read_text()
    assert "| 20 | 10.0 (9.0 - 11.0) | 20.0 (19.0 - 21.0) |" in text
    assert "old" not in text
    assert (text.split("\n")[0], text.split("\n")[-2]) == ("before", "after")
    assert "<svg" in (tmp_path / "performance" / "throughput-by-runs.svg").read_text()


def test_a_number_has_moved_when_its_range_has_left_the_recorded_one() -> None:
    recorded = Spread(10.0, 9.0, 11.0)
    assert moved(recorded, Spread(11.5, 10.5, 12.0)) == ""
    assert moved(recorded, Spread(15.0, 14.0, 16.0)) == "moved by +50 %"
    assert moved(None, recorded) == ""
