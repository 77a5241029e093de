"""What these answers look like. Times are epoch seconds; fields without a value are null."""

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel

from web.api.http.operations.answers import UsageFigures


class StatusCounts(BaseModel):
    """Runs by status."""

    queued: int
    running: int
    stopping: int
    completed: int
    failed: int
    cancelled: int
    interrupted: int

    @classmethod
    def shown(cls, counts: Mapping[str, int]) -> dict[str, int]:
        """The counts with all statuses; 0 for what is not counted."""
        return {name: counts.get(name, 0) for name in cls.model_fields}


class Counted(BaseModel):
    """How many runs have this in common."""

    key: str
    count: int


class RunCountsReport(BaseModel):
    """The answer to `GET /api/runs/counts`: open runs, and ended ones that were made since `since`.
    Each list counts what it would show together with the other filters of the request. `complete`:
    false if there were more than are counted."""

    object: Literal["runs.counts"]
    scope: Literal["all", "own"]
    since: float
    statuses: StatusCounts
    profiles: list[Counted]
    owners: list[Counted]
    reasons: list[Counted]
    complete: bool


class Waits(BaseModel):
    """Seconds: half, and 95 percent, of `count` runs waited at most so long."""

    count: int
    p50: float | None
    p95: float | None


class StatsBucket(BaseModel):
    """Runs that were made from `at` on for `width` seconds. `wait`: until a worker had it;
    `first_token`: until the first text. `live`: live runs at its end, as many as `profiles`."""

    at: float
    outcomes: StatusCounts
    wait: Waits
    first_token: Waits
    live: list[int]


class DayOfModel(UsageFigures):
    """The usage of one model on one day, `YYYY-MM-DD` in UTC."""

    day: str
    model: str | None


class RunStatsReport(BaseModel):
    """The answer to `GET /api/runs/stats`. The last bucket is not over. A profile of null stands
    for all further ones. `complete`: false if there were more runs than are looked at."""

    object: Literal["runs.stats"]
    scope: Literal["all", "own"]
    window: Literal["hour", "day", "week"]
    now: float
    width: float
    profiles: list[str | None]
    buckets: list[StatsBucket]
    usage: list[DayOfModel]
    complete: bool


class LogEntry(BaseModel):
    """One event. `characters`: of a piece of text. `payload`: the event as JSON, cut to 2,000
    characters; null for everybody but the owner."""

    seq: int
    event: str
    at: float | None
    characters: int | None
    payload: str | None


class RunLogPage(BaseModel):
    """The answer to `GET /api/runs/{run_id}/log`. `available`: false if there is no log (it expired
    after the end, or Redis does not answer). `first`: the first event that is kept by itself.
    `ended`: nothing follows."""

    object: Literal["run.log"]
    run_id: str
    available: bool
    epoch: int | None
    first: int | None
    head: int | None
    ended: bool
    data: list[LogEntry]
    has_more: bool


class StoppedByAdmin(BaseModel):
    """The answer to a stop. `cancelled`: the run had not begun."""

    run_id: str
    status: Literal["stopping", "cancelled"]
