"""`GET /api/queue`: what waits and what is live, for how long, and how much more could be."""

from collections.abc import Sequence
from typing import Any, Final

from flask import Response
from sqlalchemy.orm import Session

from shared.db.database import Database
from shared.db.operations.leases import HeldRun, held_runs
from shared.db.operations.queue_figures import (
    ParkedFigures,
    ProfileFigures,
    QueueFigures,
    parked_figures,
    queue_figures,
)
from shared.db.operations.runs_of_all import RunFacts, open_facts
from shared.errors import UnknownProfile
from shared.hermes.profiles import Profiles
from shared.job_ledger import JobLedger
from web.api.http.operations.jobs import job_figures
from web.api.http.operations.progress import LiveProgress
from web.api.http.operations.run_figures import run_figures
from web.api.http.operations.scope import is_operator, visible_owner
from web.api.http.operations.workers import slots_of, workers_shown
from web.api.http.routes import Answer, Call

SHOWN: Final = 100  # runs
_FIELDS_FOR_OPERATORS: Final = (
    "workers",
    "worker_slots",
    "worker_list",
    "flower_url",
    "parked_deletions",
    "jobs",
)

_ForOperators = tuple[ParkedFigures, list[HeldRun]]


class Queue:
    """The route."""

    def __init__(
        self,
        db: Database,
        profiles: Profiles,
        jobs: JobLedger,
        progress: LiveProgress,
        flower_url: str,
    ) -> None:
        """`flower_url`: empty if it is not known."""
        self._db = db
        self._jobs = jobs
        self._profiles = profiles
        self._progress = progress
        self._flower_url = flower_url

    def show(self, call: Call) -> Answer | Response:
        """Operators are shown the queue of all, with all profiles; users their own part of it."""
        owner, sees_all = visible_owner(call), is_operator(call)

        def read(tx: Session) -> tuple[QueueFigures, list[RunFacts], _ForOperators | None]:
            more = (parked_figures(tx), held_runs(tx)) if sees_all else None
            return queue_figures(tx, owner), open_facts(tx, owner, SHOWN + 1), more

        figures, runs, more = self._db.read(read)
        progress = self._progress.of(runs)
        profiles = self._with_idle(figures.profiles) if sees_all else figures.profiles
        shown = [self._profile(one, figures.now, sees_all=sees_all) for one in profiles]
        return Answer(
            {
                "object": "queue",
                "scope": "all" if sees_all else "own",
                **_of_all(profiles, figures.now),
                "slots": _slots([one["slots"] for one in shown]),
                "profiles": shown,
                "runs": [
                    run_figures(run, with_worker=sees_all, progress=progress)
                    for run in runs[:SHOWN]
                ],
                "has_more": len(runs) > SHOWN,
                **self._for_operators(figures, more),
            }
        )

    def _for_operators(self, figures: QueueFigures, more: _ForOperators | None) -> dict[str, Any]:
        if more is None:
            return dict.fromkeys(_FIELDS_FOR_OPERATORS)
        parked, held = more
        workers = workers_shown(held, self._progress.reports(), figures.now)
        return {
            "workers": figures.workers,
            "worker_slots": slots_of(workers),
            "worker_list": workers,
            "flower_url": self._flower_url or None,
            "parked_deletions": {
                "count": parked.count,
                "oldest": _age(figures.now, [parked.oldest]),
            },
            "jobs": job_figures(self._jobs),
        }

    def _with_idle(self, figures: Sequence[ProfileFigures]) -> list[ProfileFigures]:
        known = {name: ProfileFigures(name) for name in self._profiles.names()}
        known |= {one.profile: one for one in figures}
        return sorted(known.values(), key=lambda one: one.profile)

    def _profile(self, one: ProfileFigures, now: float, *, sees_all: bool) -> dict[str, Any]:
        """Of a user's runs alone nothing follows about the places that are left."""
        total = self._most(one.profile) if sees_all else None
        return {
            "profile": one.profile,
            **_of_all([one], now),
            "slots": {"in_use": one.live, "total": total},
        }

    def _most(self, profile: str) -> int | None:
        """How many live runs the profile may have; None: any number, or it is gone."""
        try:
            return self._profiles.get(profile).max_runs or None
        except UnknownProfile:
            return None


def _of_all(figures: Sequence[ProfileFigures], now: float) -> dict[str, Any]:
    return {
        "waiting": sum(one.waiting for one in figures),
        "live": sum(one.live for one in figures),
        "oldest_waiting": _age(now, [one.oldest_waiting for one in figures]),
        "oldest_live": _age(now, [one.oldest_live for one in figures]),
    }


def _slots(slots: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Those of all profiles; the total is known if each has a limit."""
    totals = [one["total"] for one in slots]
    known = bool(totals) and None not in totals
    return {
        "in_use": sum(one["in_use"] for one in slots),
        "total": sum(totals) if known else None,
    }


def _age(now: float, times: Sequence[float | None]) -> float | None:
    known = [time for time in times if time is not None]
    return max(0.0, now - min(known)) if known else None
