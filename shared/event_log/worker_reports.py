"""What each worker says of itself every few seconds: its slots, and how far its live runs are.

The database knows which worker has which run, but not how many it could have, nor what of an answer
is there already. A report is one key with a TTL, so it goes with its worker. A worker of a version
that writes none is simply not in it.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from redis.exceptions import RedisError

from shared.errors import RedisUnavailable
from shared.event_log.clients import Commands
from shared.event_log.keys import WORKERS, worker_report

EVERY: Final = 2.0  # seconds between two reports of a worker
LIFE: Final = 15.0  # seconds for which a report stays without the next one
FORGET: Final = 3600.0  # seconds until the name of a dead worker is removed; its clock may be off
MOST: Final = 1000  # workers that are read


@dataclass(frozen=True)
class Progress:
    """A live run. `first_token_at`: epoch seconds by its worker's clock, None before the first
    text. `characters`: of text and reasoning so far."""

    first_token_at: float | None
    characters: int


@dataclass(frozen=True)
class WorkerReport:
    """`slots`: ordinary runs that it takes at once. `takeover_slots`: further ones for runs of dead
    workers. `draining`: it takes no new ones. `age`: seconds since it was written."""

    slots: int
    takeover_slots: int
    draining: bool
    runs: Mapping[str, Progress] = field(default_factory=dict)
    age: float = 0.0


class WorkerReports:
    """Kept on one Redis server. All methods raise RedisUnavailable."""

    def __init__(self, redis: Commands) -> None:
        self._redis = redis

    def write(self, name: str, report: WorkerReport) -> None:
        """Replace the report of this worker."""
        now = time.time()
        try:
            pipe = self._redis.pipeline(transaction=False)
            pipe.zadd(WORKERS, {name: now})
            pipe.zremrangebyscore(WORKERS, "-inf", now - FORGET)
            pipe.expire(WORKERS, int(FORGET))
            pipe.set(worker_report(name), _encode(report), px=int(LIFE * 1000))
            pipe.execute()
        except RedisError as error:
            raise RedisUnavailable() from error

    def remove(self, name: str) -> None:
        """Remove it: the worker ends."""
        try:
            pipe = self._redis.pipeline(transaction=False)
            pipe.delete(worker_report(name))
            pipe.zrem(WORKERS, name)
            pipe.execute()
        except RedisError as error:
            raise RedisUnavailable() from error

    def read(self) -> dict[str, WorkerReport]:
        """Return worker -> its report, of those that have written one within `LIFE`."""
        try:
            found: Any = self._redis.zrevrange(WORKERS, 0, MOST - 1)
            names = [_text(name) for name in found]
            pipe = self._redis.pipeline(transaction=False)
            for name in names:
                pipe.get(worker_report(name))
                pipe.pttl(worker_report(name))
            answers = pipe.execute()
        except RedisError as error:
            raise RedisUnavailable() from error
        reports = {
            name: _decode(content, left)
            for name, content, left in zip(names, answers[::2], answers[1::2], strict=True)
            if content is not None
        }
        return {name: report for name, report in reports.items() if report is not None}


def _encode(report: WorkerReport) -> bytes:
    runs = {run_id: [one.first_token_at, one.characters] for run_id, one in report.runs.items()}
    return orjson.dumps(
        {
            "slots": report.slots,
            "takeover_slots": report.takeover_slots,
            "draining": report.draining,
            "runs": runs,
        }
    )


def _decode(content: bytes, left: int) -> WorkerReport | None:
    """None for what this version does not understand. `left`: milliseconds that the key has."""
    try:
        said: dict[str, Any] = orjson.loads(content)
        return WorkerReport(
            slots=int(said["slots"]),
            takeover_slots=int(said["takeover_slots"]),
            draining=bool(said["draining"]),
            runs={run_id: Progress(at, int(size)) for run_id, (at, size) in said["runs"].items()},
            age=max(0.0, LIFE - left / 1000),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _text(name: bytes | str) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else name
