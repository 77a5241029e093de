"""What the periodic jobs did last: when, for how long, with which result, and when they are due.

Each process that does a job writes it down, the last one wins; whoever shows it reads it. It is
kept in Redis, where it may be lost: nothing is decided by it.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, TypeVar

import orjson

from shared.event_log.clients import Commands, RedisError
from shared.event_log.keys import JOBS

T = TypeVar("T")
log = logging.getLogger(__name__)

ERROR_LENGTH: Final = 200
KEPT: Final = 30 * 86400  # seconds


@dataclass(frozen=True)
class JobRun:
    """The last run of a job. Times are epoch seconds. `every`: seconds between two runs. `error`:
    the kind of failure, None if it went well. `result`: what it did, by kind."""

    job: str
    ended_at: float
    seconds: float
    every: float
    error: str | None
    result: dict[str, int]

    @property
    def ok(self) -> bool:
        """Whether it went well."""
        return self.error is None

    @property
    def next_at(self) -> float:
        """When the next one is due."""
        return self.ended_at + self.every


class JobLedger:
    """Writes and reads the last runs. Redis that is away is no failure of a job."""

    def __init__(self, redis: Commands) -> None:
        self._redis = redis

    def run(self, job: str, every: float, work: Callable[[], Mapping[str, int] | None]) -> None:
        """Do the job and write down how it went. `work` returns what it did, by kind. Raises what
        `work` raises."""
        began, error, result = time.monotonic(), None, {}
        try:
            result = dict(work() or {})
        except Exception as failure:
            error = type(failure).__name__[:ERROR_LENGTH]
            raise
        finally:
            took = time.monotonic() - began
            self._write(JobRun(job, time.time(), took, every, error, result))

    def read(self) -> list[JobRun]:
        """Return the last run of each job, by name; none while Redis is away."""
        try:
            found = self._redis.hgetall(JOBS)
        except (RedisError, OSError) as error:
            log.info("jobs.unread error=%s", type(error).__name__)
            return []
        runs = [_parse(value) for value in found.values()]
        return sorted((run for run in runs if run is not None), key=lambda run: run.job)

    def _write(self, run: JobRun) -> None:
        try:
            pipe = self._redis.pipeline(transaction=False)
            pipe.hset(JOBS, run.job, orjson.dumps(asdict(run)))
            pipe.expire(JOBS, KEPT)
            pipe.execute()
        except (RedisError, OSError) as error:
            log.info("jobs.unwritten job=%s error=%s", run.job, type(error).__name__)


def _parse(value: bytes | str) -> JobRun | None:
    """None for what a later version writes in another shape."""
    try:
        fields: dict[str, Any] = orjson.loads(value)
        return JobRun(**{name: fields[name] for name in JobRun.__dataclass_fields__})
    except (ValueError, KeyError, TypeError):
        return None
