"""Beat goes on after the wall clock was set back, at once and after a restart (C5)."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from celery.beat import PersistentScheduler

from worker import beat_clock, processes
from worker.beat_clock import SteadyScheduler

EVERY = 0.2
HOUR = timedelta(hours=1)


@pytest.fixture
def app() -> Celery:
    app = Celery("test", broker="memory://", set_as_current=False)
    app.conf.beat_schedule = {"reap": {"task": "reap", "schedule": EVERY}}
    return app


class Sending(SteadyScheduler):
    """Counts what it would send."""

    sent = 0

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        self.sent += 1


def scheduler(app: Celery, file: Path, kind: type[PersistentScheduler]) -> Any:
    return kind(app, max_interval=0.1, schedule_filename=str(file))


@pytest.fixture
def stored_ahead(app: Celery, tmp_path: Path) -> Path:
    """The file of a beat that sent its task an hour from now."""
    file = tmp_path / "beat-schedule"
    first = scheduler(app, file, PersistentScheduler)
    first.schedule["reap"].last_run_at += HOUR
    first.close()
    again = scheduler(app, file, PersistentScheduler)
    assert again.schedule["reap"].last_run_at > again.schedule["reap"].default_now()
    again.close()
    return file


def sends_within(beat: Any, seconds: float) -> bool:
    before, deadline = beat.sent, time.monotonic() + seconds
    while beat.sent == before and time.monotonic() < deadline:
        time.sleep(max(0.0, min(beat.tick(), 0.05)))
    return bool(beat.sent > before)


def test_a_stored_time_an_hour_ahead_counts_as_now(app: Celery, stored_ahead: Path) -> None:
    beat = scheduler(app, stored_ahead, Sending)
    assert sends_within(beat, 5)
    beat.close()


def test_a_clock_that_is_set_back_while_beat_runs_holds_up_nothing(
    app: Celery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beat = scheduler(app, tmp_path / "beat-schedule", Sending)
    assert sends_within(beat, 5)
    beat.schedule["reap"].last_run_at += HOUR  # as it looks from the new time
    beat._heap = [event._replace(time=event.time + 3600) for event in beat._heap]
    monkeypatch.setattr(beat, "_wall", lambda: time.time() - 3600)
    assert sends_within(beat, 5)
    beat.close()


def test_beat_runs_with_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Settings:
        home = tmp_path
        log_level = "INFO"
        metrics_port = 0
        reap_every = timedelta(seconds=2)

    app = Celery("test", broker="memory://", set_as_current=False)
    started: list[Any] = []
    monkeypatch.setattr(processes, "celery_app", lambda settings: app)

    class Beat:
        def __init__(self, **options: Any) -> None:
            started.append(options)

        def run(self) -> None:
            """Nothing: only its options are looked at."""

    class Health:
        def __init__(self, settings: object) -> None:
            """Nothing is asked here."""

        def start(self) -> None:
            started.append("health")

        def ticked(self) -> None:
            """Beat does not run."""

    monkeypatch.setattr(app, "Beat", Beat)
    monkeypatch.setattr(processes, "BeatHealth", Health)
    processes.run_beat(Settings())  # type: ignore[arg-type]
    assert issubclass(app.conf.beat_scheduler, beat_clock.SteadyScheduler)
    assert len(started) == 2


def test_each_tick_is_a_sign_of_life(app: Celery, tmp_path: Path) -> None:
    ticks: list[int] = []
    made = beat_clock.scheduler(lambda: ticks.append(1))
    beat = scheduler(app, tmp_path / "beat-schedule", made)
    for _ in range(3):
        beat.tick()
    beat.close()
    assert len(ticks) == 3
