"""Deletes what is older than the settings allow: by the hourly job, and by `holdfast sessions gc`.

Problem: old sessions may be many thousands, and people work meanwhile. Idea: one session, or a
hundred rows, in each transaction, and a pause after it that is longer than it took, for a bounded
time; the next call goes on. Sessions go as if their owner had deleted them, with their gateway
sessions.
Invariant: nothing is deleted that is pinned, waits or is live, or whose age no setting limits.
Several processes may do it at once.
"""

import logging
from collections.abc import Callable, Mapping
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
PAUSE: Final = 3.0  # times what the transaction before it took: others get three quarters of SQLite
PAUSE_MOST: Final = 1.0  # seconds
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
        for owner in self._db.read(retention.owners):
            left: set[str] = set()  # those that have begun to be used meanwhile
            while not over():
                expired = self._expired(owner, left)
                if not expired:
                    break
                for one in expired:
                    if over():
                        return done
                    done += self._delete(one, left)
                    progress("sessions", 1)
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

    def _delete(self, one: retention.Expired, left: set[str]) -> int:
        """Delete it, unless it is used by now; 1 if it was deleted here."""
        began = monotonic()
        still = partial(
            retention.expired_sessions,
            owner=one.owner,
            seconds=self._policy.sessions_of(one.owner),
            ephemeral_seconds=self._policy.ephemeral,
            only=one.session_id,
        )
        if self._deleter.delete_if(one.owner, one.session_id, lambda tx: bool(still(tx))) is None:
            left.add(one.session_id)
            return 0
        _rest(began)
        return 1

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


def _rest(began: float) -> None:
    """Let others write after a transaction that began then."""
    sleep(min(PAUSE_MOST, PAUSE * (monotonic() - began)))
