"""What the answers of operations look like. Times are epoch seconds; fields without a value are
null."""

from typing import Literal

from pydantic import BaseModel

from web.api.http.operations.jobs import JobFigures
from web.api.http.run_models import Status


class UsageFigures(BaseModel):
    """Sums over runs. Costs in US dollars; null where no gateway has reported any."""

    runs: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    estimated_cost_usd: float | None
    actual_cost_usd: float | None


class UsageOfGroup(UsageFigures):
    """`key`: the day (`YYYY-MM-DD`), model, profile, session or owner; null: not known."""

    key: str | None


class UsageReport(BaseModel):
    """The answer to `GET /api/usage`. `has_more`: groups of fewer tokens were left out."""

    object: Literal["usage"]
    by: str
    since: float
    until: float | None
    data: list[UsageOfGroup]
    has_more: bool
    total: UsageFigures


class RunFigures(BaseModel):
    """A run without its contents. `worker`: null for who is no operator. `first_token_at`: by its
    worker's clock. `output_tokens`: as the gateway counted them, at the end; `characters`: of text
    and reasoning so far, while it is live."""

    object: Literal["run"]
    run_id: str
    owner: str
    session_id: str | None
    profile: str
    model: str | None
    status: Status
    reason: str | None
    created_at: float
    claimed_at: float | None
    first_token_at: float | None
    ended_at: float | None
    queue_position: int | None
    attempts: int
    takeovers: int
    output_tokens: int | None
    characters: int | None
    worker: str | None


class RunPage(BaseModel):
    """A page of runs, the newest first."""

    object: Literal["list"]
    data: list[RunFigures]
    has_more: bool
    next_cursor: str | None


class Slots(BaseModel):
    """Live runs, and how many there may be; null: no limit is set, or only operators see it."""

    in_use: int
    total: int | None


class ProfileQueue(BaseModel):
    """The open runs of one profile. Ages in seconds."""

    profile: str
    waiting: int
    live: int
    slots: Slots
    oldest_waiting: float | None
    oldest_live: float | None


class RunLease(BaseModel):
    """`ends_in`: seconds; negative if it was not renewed, and no other worker has the run yet."""

    run_id: str
    ends_in: float | None


class WorkerFigures(BaseModel):
    """A worker. `live`: its live runs, of which `leases` has up to 50, the one that ends first at
    the front. `slots`: ordinary runs that it takes at once; `takeover_slots`: further ones for runs
    of dead workers; `draining`: it takes no new ones; `reported`: seconds since it said so. All
    four are null for a worker that does not report: it is dead, or of an earlier version."""

    worker: str
    live: int
    slots: int | None
    takeover_slots: int | None
    draining: bool | None
    reported: float | None
    leases: list[RunLease]


class Parked(BaseModel):
    """Deletions that were given up. `oldest`: seconds since the first was."""

    count: int
    oldest: float | None


class QueueReport(BaseModel):
    """The answer to `GET /api/queue`. `scope`: runs of all users, or `own`. `runs`: the oldest;
    `has_more`: there are further ones. `workers`: how many have a live run. `worker_slots`: those
    of all workers; its total is null unless all of them report it. `flower_url`: of the page of the
    task queues, if it is set. These, `worker_list`, `parked_deletions` and `jobs` are null
    for who is no operator."""

    object: Literal["queue"]
    scope: Literal["all", "own"]
    waiting: int
    live: int
    slots: Slots
    oldest_waiting: float | None
    oldest_live: float | None
    profiles: list[ProfileQueue]
    runs: list[RunFigures]
    has_more: bool
    workers: int | None
    worker_slots: Slots | None
    worker_list: list[WorkerFigures] | None
    flower_url: str | None
    parked_deletions: Parked | None
    jobs: list[JobFigures] | None


class RetriedRun(BaseModel):
    """The answer to a retry: the new run."""

    run_id: str
    status: Literal["started"]
    retry_of: str


class ParkedDeletion(BaseModel):
    """A session at a gateway that could not be deleted."""

    profile: str
    session_id: str
    attempts: int
    error: str | None
    created_at: float
    parked_at: float


class DeletionPage(BaseModel):
    """A page of them, the latest first."""

    object: Literal["list"]
    data: list[ParkedDeletion]
    has_more: bool
    next_cursor: str | None


class RetriedDeletions(BaseModel):
    """The answer to a retry: how many were parked, and are tried again."""

    object: Literal["deletions.retry"]
    retried: int
