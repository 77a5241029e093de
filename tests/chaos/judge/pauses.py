"""The longest time without a sign of life on a page while the gateway was talking."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from tests.chaos.evidence.evidence import Evidence, Page, Violation

SHORT = 0.5  # seconds: not a pause
BEFORE = 1.0  # seconds that a fault may have begun before the pause
RECONNECT = 1.0  # seconds: the longest delay of a tab (tests/chaos/clients/tabs.py)
# Longest pause allowed where this fault alone was in force, in seconds after it was healed.
LIMITS = {
    "WebKilled": RECONNECT + 1,
    "WebTerminated": RECONNECT + 1,
    "WorkerKilled": 20.0,
    "RedisTerminated": 5.0,
    "RedisKilled": 5.0,
    "PubsubCut": 5.0,
    "ConnectionsCut": 5.0,
    "SocketsCut": RECONNECT + 1,
}
OF_REDIS = frozenset({"RedisTerminated", "RedisKilled"})


@dataclass(frozen=True)
class Pause:
    """From one event of a run to the next on one page, while the gateway produced text."""

    run_id: str
    tab: str
    begin: float
    end: float

    @property
    def seconds(self) -> float:
        """How long."""
        return self.end - self.begin


def pauses(evidence: Evidence) -> Iterator[Pause]:
    """All that are longer than SHORT."""
    times: dict[str, list[float]] = {}
    for run_id in evidence.runs:
        times[run_id] = [at for made in evidence.made_for(run_id) for at, _ in made.tokens]
    for page in evidence.pages:
        yield from _of_page(page, times)


def _of_page(page: Page, times: dict[str, list[float]]) -> Iterator[Pause]:
    last: dict[str, float] = {}
    positions: dict[str, tuple[int, int]] = {}
    polling: set[str] = set()
    for event in page.received:
        run_id, before = event.run_id, last.get(event.run_id)
        if event.run_id not in times:
            continue
        position = (event.epoch, event.seq)
        if event.shown is not None and positions.get(run_id) == position:
            continue  # the same once more, to a page that came back: still the same pause
        positions[run_id], last[run_id] = position, event.at
        # While a run is polled its text comes step by step, as `run.reattached` announced.
        silent = run_id in polling or event.name in ("run.started", "run.queued")
        if event.name == "run.reattached":
            polling.add(run_id)
        if before is None or silent or event.at - before < SHORT:
            continue
        said = times[run_id]
        first = bisect_right(said, before)
        if first < bisect_left(said, event.at):
            begin = max(before, said[first])
            if event.at - begin >= SHORT:
                yield Pause(run_id, page.tab, begin, event.at)


def by_fault(evidence: Evidence, *, alone: bool = False) -> dict[str, Pause]:
    """The longest pause of each class of faults ("" for none); `alone`: with no other in force."""
    longest: dict[str, Pause] = {}
    for pause in pauses(evidence):
        names = _blamed(evidence, pause) or {""}
        for name in names if len(names) == 1 or not alone else ():
            if name not in longest or longest[name].seconds < pause.seconds:
                longest[name] = pause
    return longest


def judge_pauses(evidence: Evidence) -> Iterator[Violation]:
    """Pauses that one class of faults alone explains, and that are too long for it."""
    worst: dict[str, list[Pause]] = defaultdict(list)
    for pause in pauses(evidence):
        names = _blamed(evidence, pause)
        name = next(iter(names)) if len(names) == 1 else ""
        if name in LIMITS and _length(evidence, pause) > LIMITS[name]:
            worst[name].append(pause)
    for name, found in worst.items():
        pause = max(found, key=lambda one: one.seconds)
        text = f"{name}: {pause.seconds:.1f} s on {pause.tab} ({len(found)} too long)"
        yield Violation("pause", pause.run_id, text)


def _blamed(evidence: Evidence, pause: Pause) -> set[str]:
    return {fault.name for fault in evidence.near(pause.begin - BEFORE, pause.end)}


def _length(evidence: Evidence, pause: Pause) -> float:
    """Restarts of Redis count from when it is back."""
    near = evidence.near(pause.begin - BEFORE, pause.end)
    back = max((f.until for f in near if f.name in OF_REDIS), default=pause.begin)
    return pause.end - max(pause.begin, back)
