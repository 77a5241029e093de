"""`GET /api/usage`: tokens and costs, summed by the database over a range of bounded length."""

from dataclasses import asdict
from typing import Any

from flask import Response
from sqlalchemy.orm import Session

from shared.db.clock import read_clock
from shared.db.database import Database
from shared.db.usage_report import DAY, By, Span, UsageSum, last_days, sums, total
from web.api.http.bodies import checked
from web.api.http.errors import ApiError
from web.api.http.operations.queries import LONGEST_RANGE, UsageQuery
from web.api.http.operations.scope import asks_for_others, is_operator
from web.api.http.routes import Answer, Call

_NOTHING = Span(since=0.0, until=0.0)


class Usage:
    """The route."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def show(self, call: Call) -> Answer | Response:
        """A user is shown their own usage, an operator that of all, or of `owner`."""
        query = checked(UsageQuery, call.arguments)
        by = By(query.by)
        owner = query.owner if is_operator(call) else call.owner

        def read(tx: Session) -> tuple[Span, list[UsageSum], UsageSum]:
            span = _span(tx, query, owner)
            within = _NOTHING if asks_for_others(call, query.owner) else span
            limit = None if by is By.DAY else query.limit + 1  # as many days as the range has
            return span, sums(tx, by, within, limit), total(tx, within)

        span, groups, whole = self._db.read(read)
        has_more = by is not By.DAY and len(groups) > query.limit
        return Answer(
            {
                "object": "usage",
                "by": query.by,
                "since": span.since,
                "until": span.until,
                "data": [asdict(one) for one in (groups[: query.limit] if has_more else groups)],
                "has_more": has_more,
                "total": _without_key(whole),
            }
        )


def _span(tx: Session, query: UsageQuery, owner: str | None) -> Span:
    """The range that is asked for. Raises ApiError if it is too long, or ends before it begins."""
    if query.since is None and query.until is None:
        return last_days(tx, query.days, owner)
    until = query.until if query.until is not None else read_clock(tx)
    since = query.since if query.since is not None else until - query.days * DAY
    if not 0 <= until - since <= LONGEST_RANGE * DAY:
        message = f"The range from since to until has 0 to {LONGEST_RANGE} days."
        raise ApiError(400, "invalid_range", message, param="since")
    return Span(since, query.until, owner)


def _without_key(whole: UsageSum) -> dict[str, Any]:
    return {name: value for name, value in asdict(whole).items() if name != "key"}
