"""`GET /api/runs/stats`: what the plots of an hour, a day or a week show."""

from collections import Counter
from dataclasses import asdict
from typing import Any, Final

from flask import Response
from sqlalchemy.orm import Session

from shared.db.database import Database
from shared.db.operations.run_stats import WINDOWS, Bucket, RunStats, Window, run_stats
from shared.db.usage_report import DAY, DayOfModel, Span, sums_of_days
from web.api.http.bodies import checked
from web.api.http.operations.runs_page.answers import StatusCounts
from web.api.http.operations.runs_page.queries import StatsQuery
from web.api.http.operations.runs_page.short_cache import ShortCache
from web.api.http.operations.scope import is_operator, visible_owner
from web.api.http.routes import Answer, Call
from web.api.http.run_objects import word_of_state

KEPT: Final = {"hour": 5.0, "day": 30.0, "week": 120.0}  # seconds

Found = tuple[RunStats, list[DayOfModel]]


class Stats:
    """The route."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._cache: ShortCache[Found] = ShortCache()

    def show(self, call: Call) -> Answer | Response:
        """Operators are shown all runs, users their own."""
        name = checked(StatsQuery, call.arguments).window
        owner = visible_owner(call)

        def read() -> Found:
            return self._db.read(lambda tx: _read(tx, owner, WINDOWS[name]))

        stats, usage = self._cache.get((owner, name), KEPT[name], read)
        return Answer(
            {
                "object": "runs.stats",
                "scope": "all" if is_operator(call) else "own",
                "window": name,
                "now": stats.now,
                "width": stats.width,
                "profiles": stats.profiles,
                "buckets": [_bucket(one, stats.profiles) for one in stats.buckets],
                "usage": [asdict(one) for one in usage],
                "complete": stats.complete,
            }
        )


def _read(tx: Session, owner: str | None, window: Window) -> Found:
    stats = run_stats(tx, owner, window)
    since = stats.buckets[0].at
    return stats, sums_of_days(tx, Span(since - since % DAY, owner=owner))


def _bucket(bucket: Bucket, profiles: list[str | None]) -> dict[str, Any]:
    outcomes: Counter[str] = Counter()
    for (state, reason), count in bucket.outcomes.items():
        outcomes[word_of_state(state, reason)] += count
    return {
        "at": bucket.at,
        "outcomes": StatusCounts.shown(outcomes),
        "wait": asdict(bucket.wait),
        "first_token": asdict(bucket.first_token),
        "live": [bucket.live.get(profile, 0) for profile in profiles],
    }
