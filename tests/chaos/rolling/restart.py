"""What is done in a rolling restart: one process after the other, while every session has a run."""

from __future__ import annotations

import signal
from typing import Any

from sqlalchemy import text

from tests.chaos.faults.base import Fault
from tests.chaos.rolling.stage import RollingStage
from tests.chaos.schedule import Act, Plan, Prompt
from tests.chaos.stage import Stage

RATE = 5  # tokens a second of each run
SETTLED = 2.0  # seconds from a process that is ready to the next one that goes
LIVE_SHARE = 0.8  # of the sessions have a run at a time: between two runs is a moment without
STREAMS = 5  # every fifth session is followed by a reader of events, too
LEAVING = 70.0  # seconds: longer than the stage's drain
_LIVE = text("SELECT count(*) FROM runs WHERE ended_at IS NULL AND first_claimed_at IS NOT NULL")


class _Step(Fault):
    """Steps are done one after the other."""

    resource = "deploy"

    def __init__(self) -> None:
        self.hold, self.detail = SETTLED, ""

    def heal(self, stage: Stage) -> None:
        """Nothing is taken back."""


class StreamsOpened(_Step):
    """Readers of event streams come to some sessions."""

    def __init__(self, sessions: int) -> None:
        super().__init__()
        self._sessions = [f"s{number}" for number in range(0, sessions, STREAMS)]

    def inject(self, stage: Stage) -> None:
        assert isinstance(stage, RollingStage)
        stage.open_streams(self._sessions)
        self.detail = f"{len(self._sessions)} readers"


class Migrated(_Step):
    """`holdfast migrate` of the new release."""

    def inject(self, stage: Stage) -> None:
        assert isinstance(stage, RollingStage)
        stage.migrate()


class Replaced(_Step):
    """SIGTERM to a process, and the next one starts beside it. `least_live`: runs that must be live
    just then."""

    def __init__(self, role: str, number: int, least_live: int) -> None:
        super().__init__()
        self.role, self.number, self._least_live = role, number, least_live

    @property
    def name(self) -> str:
        """As of the faults that do the same to one process (tests/chaos/faults/processes.py)."""
        return f"{self.role.title()}Terminated"

    def inject(self, stage: Stage) -> None:
        live = int(stage.db.single(lambda tx: tx.scalar(_LIVE)) or 0)
        slot, process = stage.victim(self.role, self.number)
        self.detail = f"{process.name}, {live} live runs"
        process.signal(signal.SIGTERM)
        stage.restart(slot)
        code = process.wait(within=LEAVING)
        # Beat and maintenance end as Celery has them end.
        assert code == 0 or self.role in ("beat", "maintenance"), f"{process.name}: exit {code}"
        assert live >= self._least_live, f"only {live} live runs at that moment"


def plan_of(
    sessions: int, run_seconds: float, turns: int, *, web: int, workers: int, upgrade: bool
) -> Plan:
    """Each session has a run of so many seconds, and then the next one. Once all have begun, the
    processes are replaced, in the order of docs/UPGRADING.md."""
    plan = Plan(seed=0, seconds=run_seconds * turns, database="postgres")
    for number in range(sessions):
        begins = run_seconds * number / sessions
        plan.sessions[f"s{number}"] = [
            Act(begins + run_seconds * turn, "modern", [_prompt(number, turn, run_seconds)], 0.1)
            for turn in range(turns)
        ]
    least = int(sessions * LIVE_SHARE)
    steps: list[Fault] = [StreamsOpened(sessions)]
    if upgrade:
        steps += [Migrated(), Replaced("maintenance", 0, least), Replaced("beat", 0, least)]
    steps += [Replaced("worker", number, least) for number in range(workers)]
    steps += [Replaced("web", number, least) for number in range(web)]
    plan.faults.extend((run_seconds + 2 + n / 10, step) for n, step in enumerate(steps))
    return plan


def troubles(result: dict[str, Any]) -> dict[str, Any]:
    """What a table of chaos may show, and one of a rolling restart may not: tabs that were not let
    in or not recovered, prompts that were refused, runs that did not end well or were
    posted other than once."""
    return {
        name: found
        for name, found in (
            ("not let in", result["not_let_in"]),
            ("not recovered", result["unrecovered_tabs"]),
            ("answers", {k: n for k, n in result["answers_to_prompts"].items() if k != "ok"}),
            ("ends", {k: n for k, n in result["run_ends"].items() if k != "completed"}),
            ("posts", {k: n for k, n in result["posts_per_run"].items() if k != 1}),
        )
        if found
    }


def _prompt(number: int, turn: int, seconds: float) -> Prompt:
    tag = f"s{number}x{turn}"
    script = {"text": f"{tag}.{{n}};", "tokens": round(RATE * seconds), "rate": RATE}
    return Prompt(tag, script)
