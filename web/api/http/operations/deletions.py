"""`/api/deletions`: sessions at gateways that could not be deleted; for administrators."""

import logging

from flask import Response

from shared.db import gateway_sessions
from shared.db.database import Database
from shared.db.models import DeletionRow
from shared.roles import Role
from web.access.principal import require
from web.api.http.bodies import body_of, checked
from web.api.http.cursors import cursor_of, place_of
from web.api.http.operations.queries import DeletionsBody, DeletionsQuery
from web.api.http.routes import Answer, Call

log = logging.getLogger(__name__)


class Deletions:
    """Both routes."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def list(self, call: Call) -> Answer | Response:
        """`GET /api/deletions`."""
        require(call.principal, Role.ADMIN)
        query = checked(DeletionsQuery, call.arguments)
        after = place_of(query.cursor) if query.cursor else None
        found = self._db.read(
            lambda tx: gateway_sessions.parked(tx, query.limit + 1, after),
        )
        page, more = found[: query.limit], found[query.limit :]
        return Answer(
            {
                "object": "list",
                "data": [_shown(row) for row in page],
                "has_more": bool(more),
                "next_cursor": _cursor(page[-1]) if more else None,
            }
        )

    def retry(self, call: Call) -> Answer | Response:
        """`POST /api/deletions/retry`: they are due now, as if they had never failed."""
        require(call.principal, Role.ADMIN)
        body = body_of(DeletionsBody)
        retried = self._db.write(
            lambda tx: gateway_sessions.retry_parked(tx, body.profile, body.session_ids)
        )
        log.info("gateway_session.retry_requested profile=%s count=%s", body.profile, retried)
        return Answer({"object": "deletions.retry", "retried": retried})


def _cursor(row: DeletionRow) -> str:
    return cursor_of((row.updated_at, row.session_id))


def _shown(row: DeletionRow) -> dict[str, str | int | float | None]:
    return {
        "profile": row.profile_name,
        "session_id": row.session_id,
        "attempts": row.attempt_count,
        "error": row.last_error,
        "created_at": row.created_at,
        "parked_at": row.updated_at,
    }
