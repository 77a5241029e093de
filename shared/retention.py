"""Deletes what is older than the settings allow: by the hourly job, and by `holdfast sessions gc`.

Problem: old sessions may be many thousands, and people work meanwhile. Idea: a few sessions, as
many as take a short time, or a hundred rows, in each transaction, and a pause after it that is
longer than it took, for a bounded time; the next call goes on. Sessions go as if their owner had
deleted them, with their gateway sessions.
Invariant: nothing is deleted that is pinned, waits or is live, or whose age no setting limits.
Several processes may do it at once.
"""

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from time import monotonic, sleep
from typing import Final

from sqlalchemy.orm import Session

from shared.db import retention
from shared.db.database import Database
from shared.delete_session import SessionDeleter
from shared.settings import Settings

log = logging.getLogger(__name__)

FOR: Final = 600.0  # seconds of one call
# Times what the transaction before it took. A run's start writes eight times, and on SQLite each of
# them meets a transaction of this job as often as there is one.
PAUSE: Final = 4.0
PAUSE_MOST: Final = 3.0  # seconds
# Seconds; after a longer transaction the next one deletes fewer sessions. On SQLite nobody else can
# write meanwhile. On PostgreSQL only what it deletes is locked, and a transaction's twenty
# statements cost nearly half as much for one session as for twenty.
SHORT_ON_SQLITE: Final = 0.03
SHORT: Final = 0.3
SESSIONS_MOST: Final = 20  # of one transaction
Progress = Callable[[str, int], None]  # what, and how many of it more


@dataclass(frozen=True)
class Policy:
    """Ages in seconds after which things go; None: never. `of_owners` are those of sessions of some
    owners, instead of `sessions`."""

    sessions: float | None
    of_owners: Mapping[str, float | None]
    ephemeral: float | None
    runs: float | None
    usage: float | None

    @classmethod
    def of(cls, settings: Settings) -> "Policy":
        """Return that of the settings."""
        return cls(
            sessions=_seconds(settings.retention_days),
            of_owners={name: _seconds(days) for name, days in settings.retention_of_owners.items()},
            ephemeral=settings.ephemeral_life.total_seconds() or None,
            runs=_seconds(settings.retention_runs_days),
            usage=_seconds(settings.retention_usage_days),
        )

    def sessions_of(self, owner: str) -> float | None:
        """Return the age of the owner's sessions."""
        return self.of_owners.get(owner, self.sessions)


def _seconds(days: float) -> float | None:
    return days * 86_400.0 or None


class Retention:
    """Deletes by one policy."""

    def __init__(self, db: Database, deleter: SessionDeleter, policy: Policy) -> None:
        self._db = db
        self._deleter = deleter
        self._policy = policy

    def count(self) -> dict[str, int]:
        """Return how much of each kind is too old; nothing is deleted. Raises
        DatabaseUnavailable."""
        found = {"sessions": sum(map(self._count_sessions, self._db.read(retention.owners)))}
        for kind, work in self._kinds(dry_run=True).items():
            found[kind] = self._db.read(work)
        return found

    def clean_up(
        self,
        *,
        within: float = FOR,
        progress: Progress = lambda kind, more: None,
        stopping: Callable[[], bool] = lambda: False,
    ) -> dict[str, int]:
        """Delete what is too old, until there is no more, the time is over or the process is
        `stopping`; return how much of each kind. Raises Unavailable."""
        deadline = monotonic() + within

        def over() -> bool:
            return monotonic() >= deadline or stopping()

        done = {"sessions": self._clean_up_sessions(over, progress)}
        for kind, work in self._kinds(dry_run=False).items():
            done[kind] = self._all(kind, work, over, progress)
        if any(done.values()):
            log.info(
                "retention.deleted sessions=%s runs=%s usage=%s orphans=%s",
                *(done.get(kind, 0) for kind in ("sessions", "runs", "usage", "orphans")),
            )
        return done

    def _kinds(self, *, dry_run: bool) -> dict[str, Callable[[Session], int]]:
        kinds: dict[str, Callable[[Session], int]] = {}
        if self._policy.runs is not None:
            kinds["runs"] = partial(
                retention.delete_runs, seconds=self._policy.runs, dry_run=dry_run
            )
        if self._policy.usage is not None:
            kinds["usage"] = partial(
                retention.delete_usage, seconds=self._policy.usage, dry_run=dry_run
            )
        kinds["orphans"] = partial(retention.delete_orphans, dry_run=dry_run)
        return kinds

    def _count_sessions(self, owner: str) -> int:
        return self._db.read(
            partial(
                retention.count_expired_sessions,
                owner=owner,
                seconds=self._policy.sessions_of(owner),
                ephemeral_seconds=self._policy.ephemeral,
            )
        )

    def _clean_up_sessions(self, over: Callable[[], bool], progress: Progress) -> int:
        done = 0
        short = SHORT_ON_SQLITE if self._db.is_sqlite else SHORT
        for owner in self._db.read(retention.owners):
            left: set[str] = set()  # those that have begun to be used meanwhile
            size = 1
            while not over():
                expired = [one.session_id for one in self._expired(owner, left)]
                if not expired:
                    break
                while expired and not over():
                    some, expired = expired[:size], expired[size:]
                    began = monotonic()
                    deleted = self._delete(owner, some)
                    size = next_size(size, monotonic() - began, short)
                    left |= {*some} - deleted
                    done += len(deleted)
                    progress("sessions", len(deleted))
                    _rest(began)
        return done

    def _expired(self, owner: str, left: set[str]) -> list[retention.Expired]:
        return self._db.read(
            partial(
                retention.expired_sessions,
                owner=owner,
                seconds=self._policy.sessions_of(owner),
                ephemeral_seconds=self._policy.ephemeral,
                without=left,
            )
        )

    def _delete(self, owner: str, session_ids: Collection[str]) -> set[str]:
        """Delete those that are still not used; return these."""

        def still(tx: Session, locked: Collection[str]) -> list[str]:
            found = retention.expired_sessions(
                tx,
                owner,
                seconds=self._policy.sessions_of(owner),
                ephemeral_seconds=self._policy.ephemeral,
                only=locked,
            )
            return [one.session_id for one in found]

        return self._deleter.delete_idle(owner, session_ids, still)

    def _all(
        self,
        kind: str,
        work: Callable[[Session], int],
        over: Callable[[], bool],
        progress: Progress,
    ) -> int:
        done = 0
        while not over():
            began = monotonic()
            some = self._db.write(work)
            if not some:
                break
            done += some
            progress(kind, some)
            _rest(began)
        return done


def next_size(size: int, took: float, short: float) -> int:
    """How many sessions the next transaction deletes, after one of `size` that took so long and
    should have taken no longer than `short`, in seconds."""
    if took > short:
        return max(1, size // 2)
    return min(SESSIONS_MOST, 2 * size) if took < short / 2 else size


def _rest(began: float) -> None:
    """Let others write after a transaction that began then."""
    sleep(min(PAUSE_MOST, PAUSE * (monotonic() - began)))
