"""`holdfast runs`: list, show, abort and retry runs."""

from dataclasses import asdict
from functools import partial
from typing import Any, Final

from deploy.commands.operate.installation import Installation
from deploy.commands.operate.output import show_json, show_rows, time_of
from deploy.errors import NotThereError, RefusedError
from shared.db.operations.runs_of_all import RunFacts, list_facts, read_facts
from shared.db.operations.timelines import read_timeline
from shared.db.runs.run_status import RunFilter
from shared.errors import ClientError, NotFound
from shared.hermes.profiles import Profiles
from shared.protocol.run_states import OPEN, RunState
from shared.protocol.timeline import Step
from web.api.http.errors import ApiError
from web.api.http.operations.runs_of_all import try_again
from web.api.run_requests import RunRequests

STATES: Final = {"open": tuple(OPEN), **{str(state): (state,) for state in RunState}}
COLUMNS: Final = (
    *("id", "owner", "session_id", "profile", "state", "reason"),
    *("created", "waited", "seconds", "attempts", "takeovers"),
)


def list_runs(
    here: Installation,
    *,
    status: str | None,
    profile: str | None,
    owner: str | None,
    limit: int,
    as_json: bool,
) -> int:
    """Print runs, the newest first."""
    wanted = RunFilter(states=STATES[status] if status else (), profile=profile)
    read = partial(list_facts, owner=owner, wanted=wanted, after=None, limit=limit)
    rows = [_row(run) for run in here.db.read(read)]
    if as_json:
        show_json(rows)
    else:
        show_rows(rows, COLUMNS)
    return 0


def show_run(here: Installation, run_id: str, *, as_json: bool) -> int:
    """Print what is known of a run, and when it did what."""
    found = here.db.read(lambda tx: read_timeline(tx, None, run_id))
    if found is None:
        raise NotThereError(f"there is no run {run_id!r}")
    seen: list[Step] = found.seen["steps"] if found.seen else []
    steps = sorted([*found.steps, *seen], key=lambda step: (step["at"] is None, step["at"] or 0.0))
    if as_json:
        show_json({**_row(found.run), "worker": found.run.worker, "steps": steps})
        return 0
    facts = {**_row(found.run), "worker": found.run.worker}
    show_rows(
        [{"field": name, "value": value} for name, value in facts.items()], ("field", "value")
    )
    began = found.run.created_at
    show_rows([_step(step, began) for step in steps], ("after", "step", "details"), title="\nsteps")
    return 0


def abort_run(here: Installation, run_id: str) -> int:
    """Stop a live run, or end one that waits."""
    run = facts_of(here, run_id)
    try:
        stopped = requests_of(here).stop(run.owner, run_id)
    except NotFound:
        raise RefusedError(f"the run has ended before; it is {run.state}") from None
    print(f"{run_id}: {'aborted' if stopped.ended else 'its worker was asked to stop'}")
    return 0


def retry_run(here: Installation, run_id: str) -> int:
    """Start a failed run again, as another run; a second time that is the same one."""
    facts_of(here, run_id)
    try:
        accepted = try_again(here.db, requests_of(here), run_id)
    except (ApiError, ClientError) as error:
        raise RefusedError(str(error)) from error
    print(f"{accepted.run_id}{' (started before)' if accepted.repeated else ''}")
    return 0


def facts_of(here: Installation, run_id: str) -> RunFacts:
    """Return the run. Raises NotThereError."""
    found = here.db.read(lambda tx: read_facts(tx, None, run_id))
    if found is None:
        raise NotThereError(f"there is no run {run_id!r}")
    return found


def requests_of(here: Installation) -> RunRequests:
    """Return what starts and stops runs, for one who has no socket."""
    return RunRequests(
        db=here.db,
        event_log=here.event_log,
        commands=here.commands,
        queue=here.queue,
        profiles=Profiles.load(here.settings),
        membership=None,
        queue_cap=here.settings.queue_cap,
        session_max_bytes=here.settings.session_max_bytes,
    )


def _row(run: RunFacts) -> dict[str, Any]:
    row = asdict(run) | {"state": str(run.state), "created": time_of(run.created_at)}
    row["waited"] = run.claimed_at - run.created_at if run.claimed_at is not None else None
    row["seconds"] = run.ended_at - run.created_at if run.ended_at is not None else None
    del row["worker"]
    return row


def _step(step: Step, began: float) -> dict[str, Any]:
    details = {name: value for name, value in step.items() if name not in {"at", "step"}}
    shown = " ".join(f"{name}={value}" for name, value in details.items() if value is not None)
    after = f"{step['at'] - began:+.3f} s" if step["at"] is not None else None
    return {"after": after, "step": step["step"], "details": shown}
