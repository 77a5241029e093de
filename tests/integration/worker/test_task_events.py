"""What Flower is told of a task that has become a run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from celery.events.state import State, Task
from kombu.exceptions import OperationalError

from shared.db.runs.claim import Claim
from worker.task_events import show_claim


class Dispatcher:
    """Records what is sent, as Celery's would send it."""

    enabled = True

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def send(self, kind: str, **fields: Any) -> None:
        self.events.append({"type": kind, **fields})


CLAIM = cast("Claim", SimpleNamespace(run_id="run_b", session_id="s"))


def test_flower_shows_the_run_that_was_claimed_and_how_it_ended() -> None:
    dispatcher = Dispatcher()
    show_claim(dispatcher, "t1", "holdfast.run_turn", CLAIM)
    state = State()
    common = {"hostname": "w", "clock": 1, "pid": 1, "local_received": 1.0, "timestamp": 1.0}

    def seen(event: dict[str, Any]) -> Task:
        state.event({**common, **event})
        found: Task = state.tasks["t1"]
        return found

    received = {"type": "task-received", "name": "holdfast.run_turn", "args": "('run_a',)"}
    assert seen({**received, "uuid": "t1"}).args == "('run_a',)"
    seen({"type": "task-started", "uuid": "t1"})
    shown = seen(dispatcher.events[0])
    assert (shown.state, shown.args) == ("CLAIMED", "('run_b', 'session s')")
    ended = seen({"type": "task-succeeded", "uuid": "t1", "result": "'completed: run_b'"})
    assert (ended.state, ended.args) == ("SUCCESS", "('run_b', 'session s')")
    assert ended.result == "'completed: run_b'"


def test_a_broker_that_is_away_stops_no_run() -> None:
    class Away(Dispatcher):
        def send(self, kind: str, **fields: Any) -> None:
            raise OperationalError

    show_claim(Away(), "t1", "holdfast.run_turn", CLAIM)
    show_claim(None, "t1", "holdfast.run_turn", CLAIM)
