"""One run of the kit: a stage, a plan, a judgement."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tests.chaos.evidence.evidence import Evidence, Violation
from tests.chaos.evidence.report import summary
from tests.chaos.evidence.run_history import run_history
from tests.chaos.judge.verdict import judge
from tests.chaos.perform import perform
from tests.chaos.schedule import Plan
from tests.chaos.stage import Stage

STORIES = 12  # runs whose whole history is shown


@dataclass
class Outcome:
    """What came of it. `folder`: the processes' logs, kept if there are violations."""

    result: dict[str, Any]
    violations: list[Violation]
    stories: list[str]
    folder: Path | None


def run_plan(
    plan: Plan,
    *,
    say: Callable[[str], None],
    web: int = 2,
    workers: int = 2,
    lease: float = 15.0,
    warm_up: float = 60.0,
    settings: Mapping[str, str] = MappingProxyType({}),
) -> Outcome:
    """Carry a plan out on a stage of so many processes, and judge it. `settings`: of the
    processes, besides those of the stage."""
    stage = Stage(postgres=plan.database == "postgres", web=web, workers=workers, lease=lease)
    stage.environment.update(settings)
    return carry_out(plan, stage, say=say, warm_up=warm_up)


def carry_out(
    plan: Plan, stage: Stage, *, say: Callable[[str], None], warm_up: float = 60.0
) -> Outcome:
    """Start the stage, carry a plan out on it, judge, and end it. `warm_up`: seconds after which
    memory is compared."""
    violations: list[Violation] = []
    try:
        stage.start()
        evidence = asyncio.run(perform(plan, stage, say, warm_up))
        violations = judge(evidence)
        logs = {process.name: process.log() for process in stage.processes()}
    except BaseException:
        say(f"logs are kept in {stage.end(keep=True)}")
        raise
    folder = stage.end(keep=bool(violations))
    return Outcome(
        summary(plan, evidence, violations),
        violations,
        _stories(evidence, violations, logs),
        folder,
    )


def _stories(evidence: Evidence, violations: list[Violation], logs: dict[str, str]) -> list[str]:
    run_ids = list(dict.fromkeys(v.run_id for v in violations if v.run_id))
    return [run_history(evidence, run_id, logs) for run_id in run_ids[:STORIES]]
