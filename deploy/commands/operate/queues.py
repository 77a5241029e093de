"""`holdfast queues` and `holdfast workers`: what waits, who works, what the jobs did."""

from dataclasses import asdict
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from deploy.commands.operate.installation import Installation
from deploy.commands.operate.output import show_json, show_rows, time_of
from deploy.errors import DeployError
from shared.db.clock import read_clock
from shared.db.models import RunRow
from shared.db.operations.queue_figures import ProfileFigures
from shared.db.operations.system_figures import SystemFigures, system_figures
from shared.job_ledger import JobLedger, JobRun
from shared.protocol.run_states import LIVE

ASK_WITHIN: Final = 2.0  # seconds for workers to answer
PROFILE: Final = ("profile", "waiting", "live", "oldest_waiting", "oldest_live")
JOB: Final = ("job", "last_run", "seconds", "outcome", "next_run", "result")


def show_queues(here: Installation, *, as_json: bool) -> int:
    """Print what waits and what is live, by profile, the queues of messages, and the jobs."""
    figures = here.db.read(system_figures)
    lengths = here.queue.lengths()
    if lengths is None:
        raise DeployError("Redis does not answer")
    profiles = [_profile(one, figures.queue.now) for one in figures.queue.profiles]
    jobs = [_job(run) for run in JobLedger(here.commands).read()]
    messages = [{"queue": name, "messages": count} for name, count in lengths.items()]
    others = _others(figures)
    if as_json:
        show_json({"profiles": profiles, "queues": lengths, "jobs": jobs, **others})
        return 0
    show_rows(profiles, PROFILE, title="runs")
    show_rows(messages, ("queue", "messages"), title="\nmessages")
    rows = [{"what": name.replace("_", " "), "count": count} for name, count in others.items()]
    show_rows(rows, ("what", "count"), title="\nleft to do")
    show_rows(jobs, JOB, title="\njobs")
    return 0


def show_workers(here: Installation, *, as_json: bool) -> int:
    """Print the worker processes that answer, and those that have a live run."""
    rows = _workers(here.db.read(_leases), here.queue.processes(ASK_WITHIN))
    if as_json:
        show_json(rows)
    else:
        columns = ("id", "role", "host", "pid", "answers", "live_runs", "shortest_lease")
        show_rows(rows, columns)
    return 0


def _profile(one: ProfileFigures, now: float) -> dict[str, Any]:
    waits, lives = one.oldest_waiting, one.oldest_live
    return asdict(one) | {
        "oldest_waiting": now - waits if waits is not None else None,
        "oldest_live": now - lives if lives is not None else None,
    }


def _others(figures: SystemFigures) -> dict[str, int]:
    return {
        "lapsed_leases": figures.lapsed,
        "unannounced_ends": figures.unannounced,
        "orphaned_runs": figures.orphans,
        **{f"{status}_deletions": figures.deletions.get(status, 0) for status in STATUSES},
    }


STATUSES: Final = ("pending", "parked")


def _job(run: JobRun) -> dict[str, Any]:
    return {
        "job": run.job,
        "last_run": time_of(run.ended_at),
        "seconds": run.seconds,
        "outcome": run.error or "ok",
        "next_run": time_of(run.next_at),
        "result": " ".join(f"{kind}={count}" for kind, count in run.result.items() if count),
    }


def _leases(tx: Session) -> list[tuple[str, int, float]]:
    """Worker, its live runs, and what is left of the lease that ends first, in seconds."""
    now = read_clock(tx)
    live = (RunRow.state.in_([*LIVE]), RunRow.announced_at.is_(None), RunRow.worker.is_not(None))
    query = select(RunRow.worker, func.count(), func.min(RunRow.lease_until)).where(*live)
    rows = tx.execute(query.group_by(RunRow.worker).order_by(RunRow.worker))
    return [(str(worker), count, (until or now) - now) for worker, count, until in rows]


def _workers(leases: list[tuple[str, int, float]], processes: list[str]) -> list[dict[str, Any]]:
    """Join both by what they share: the end of a worker's name is in that of its process."""
    rows: dict[str, dict[str, Any]] = {}
    for process in processes:
        node, _, host = process.partition("@")
        role, _, own_id = node.rpartition("-")
        rows[own_id] = {"id": own_id, "role": role, "host": host, "answers": "yes", "live_runs": 0}
    for name, count, lease in leases:
        host, pid, own_id = (["", *name.split(":")])[-3:] if ":" in name else ("", "", name)
        row = rows.setdefault(own_id, {"id": own_id, "role": "runs", "answers": "no"})
        row |= {"host": host, "pid": pid, "live_runs": count, "shortest_lease": round(lease, 1)}
    return [rows[own_id] for own_id in sorted(rows)]
