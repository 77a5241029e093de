"""`GET /api/runs/counts`: how many runs each filter of the list would show."""

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

from flask import Response
from sqlalchemy.orm import Session

from shared.db.clock import read_clock
from shared.db.database import Database
from shared.db.operations.run_counts import MOST_NAMES, Group, RunCounts, run_counts
from shared.db.usage_report import DAY
from web.api.http.bodies import checked
from web.api.http.operations.runs_page.answers import StatusCounts
from web.api.http.operations.runs_page.queries import CountsQuery
from web.api.http.operations.runs_page.short_cache import ShortCache
from web.api.http.operations.scope import asks_for_others, is_operator
from web.api.http.routes import Answer, Call
from web.api.http.run_objects import word_of_state

KEPT: Final = 4.0  # seconds

Found = tuple[float, RunCounts]


class Counts:
    """The route."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._cache: ShortCache[Found] = ShortCache()

    def show(self, call: Call) -> Answer | Response:
        """Operators have those of all counted, users their own."""
        query = checked(CountsQuery, call.arguments)
        sees_all = is_operator(call)
        owner = query.owner if sees_all else call.owner
        # A page asks with a new `since` each time; the counts of one minute are those of the next.
        since = query.since // 60 * 60 if query.since is not None else None
        since, counts = self._cache.get(
            (owner, since), KEPT, lambda: self._db.read(lambda tx: _count(tx, owner, since))
        )
        groups = counts.groups if not asks_for_others(call, query.owner) else []
        by_status = _summed(groups, _status, profile=query.profile)
        profiles = _summed(groups, lambda one: one.profile, status=query.status)
        reasons = _summed(
            [one for one in groups if one.reason is not None],
            lambda one: str(one.reason),
            profile=query.profile,
            status=query.status,
        )
        return Answer(
            {
                "object": "runs.counts",
                "scope": "all" if sees_all else "own",
                "since": since,
                "statuses": StatusCounts.shown(by_status),
                "profiles": _listed(profiles),
                "owners": _listed(Counter(dict(counts.owners))) if sees_all else [],
                "reasons": _listed(reasons),
                "complete": counts.complete,
            }
        )


def _count(tx: Session, owner: str | None, since: float | None) -> Found:
    begin = since if since is not None else read_clock(tx) - DAY
    return begin, run_counts(tx, owner, begin)


def _status(group: Group) -> str:
    return word_of_state(group.state, group.reason)


def _summed(
    groups: Iterable[Group], key: Any, *, profile: str | None = None, status: str | None = None
) -> Counter[str]:
    found: Counter[str] = Counter()
    for one in groups:
        if profile in (None, one.profile) and status in (None, _status(one)):
            found[key(one)] += one.count
    return found


def _listed(counts: Counter[str]) -> list[dict[str, Any]]:
    ordered = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    return [{"key": key, "count": count} for key, count in ordered[:MOST_NAMES]]
