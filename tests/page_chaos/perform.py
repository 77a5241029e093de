"""Carries out the plan of a seed: several people at once, faults on top, each session judged."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext

from shared.db.models import RunRow
from tests.page_chaos.faults import draw_faults
from tests.page_chaos.person import Person
from tests.page_chaos.texts import Turn, draw_turn
from tests.page_chaos.watched_stage import Faults, WatchedStage
from tests.support.page.chromium import signed_in

TURNS = 5  # of a session
AT_ONCE = 8  # sessions
STEP = 100  # milliseconds between looks
ACTS = {"talk": 5, "reload": 3, "queue": 3}
SECOND_DEVICE = 0.4  # of the sessions

Say = Callable[[str], None]


@dataclass
class Outcome:
    """`ends`: how many runs ended how. `folder`: the logs, kept if there are violations."""

    seed: int
    runs: int = 0
    sessions: int = 0
    devices: int = 0
    reloads: int = 0
    seconds: float = 0.0
    ends: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    folder: Path | None = None


def draw_sessions(seed: int, runs: int) -> Iterator[tuple[str, list[Turn], bool]]:
    """Session id, turns, and whether a second device looks; the same for a seed."""
    rng = random.Random(seed)
    for first in range(0, runs, TURNS):
        session_id = f"p{seed}-{first // TURNS}"
        acts = rng.choices(list(ACTS), weights=list(ACTS.values()), k=min(TURNS, runs - first))
        turns = [draw_turn(rng, session_id, n, act) for n, act in enumerate(acts, start=1)]
        yield session_id, turns, rng.random() < SECOND_DEVICE


def perform(browser: Browser, reference: str, seed: int, runs: int, say: Say) -> Outcome:
    """Carry it out. `reference`: the script that draws a text at once."""
    outcome = Outcome(seed)
    begun = time.monotonic()
    stage = WatchedStage()
    try:
        stage.start()
        faults = Faults(stage, draw_faults(random.Random(seed)))
        permissions = ["clipboard-read", "clipboard-write"]
        devices = [
            signed_in(browser, stage.page_url, permissions=permissions, viewport=viewport)
            for viewport in ({"width": 1280, "height": 800}, {"width": 400, "height": 800})
        ]
        faults.start()
        try:
            _watch(stage, devices, outcome, [*draw_sessions(seed, runs)], reference, say)
        finally:
            faults.stop()
            for device in devices:
                device.close()
        outcome.faults = faults.done
        outcome.violations += faults.problems
        outcome.ends = _ends(stage)
    except BaseException:
        say(f"logs are kept in {stage.end(keep=True)}")
        raise
    outcome.seconds = time.monotonic() - begun
    outcome.folder = stage.end(keep=bool(outcome.violations))
    return outcome


def _watch(
    stage: WatchedStage,
    devices: list[BrowserContext],
    outcome: Outcome,
    waiting: list[tuple[str, list[Turn], bool]],
    reference: str,
    say: Say,
) -> None:
    present: list[Person] = []
    while waiting or present:
        while waiting and len(present) < AT_ONCE:
            session_id, turns, has_second = waiting.pop(0)
            person = Person(session_id, turns, stage, reference)
            for device in devices if has_second else devices[:1]:
                person.open(device)
            present.append(person)
            outcome.sessions += 1
            outcome.devices += len(person.tabs)
        for person in [*present]:
            if person.step():
                present.remove(person)
                person.close()
                outcome.runs += person.sent
                outcome.reloads += person.reloads
                outcome.violations += [f"{person.session_id}: {f}" for f in person.faults]
                say(f"{person.session_id}: {person.sent} runs, {len(person.faults)} faults")
        if present:
            present[0].tabs[0].page.wait_for_timeout(STEP)


def _ends(stage: WatchedStage) -> Counter[str]:
    rows = stage.db.read(lambda tx: [(row.state, row.reason) for row in tx.query(RunRow)])
    return Counter(f"{state} {reason or ''}".strip() for state, reason in rows)
