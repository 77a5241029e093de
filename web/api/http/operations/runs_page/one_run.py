"""`/api/runs/{run_id}`: one run without its contents; and, for administrators, its stop."""

import logging

from flask import Response

from shared.db.database import Database
from shared.db.operations.runs_of_all import RunFacts, read_facts
from shared.errors import NotFound
from shared.roles import Role
from web.access.principal import require
from web.api.http.operations.progress import LiveProgress
from web.api.http.operations.run_figures import run_figures
from web.api.http.operations.scope import is_operator, visible_owner
from web.api.http.routes import Answer, Call
from web.api.http.runs import not_found, run_id_of
from web.api.run_requests import RunRequests

log = logging.getLogger(__name__)


class OneRun:
    """Both routes."""

    def __init__(self, db: Database, requests: RunRequests, progress: LiveProgress) -> None:
        self._db = db
        self._requests = requests
        self._progress = progress

    def show(self, call: Call) -> Answer | Response:
        """A user is shown their own run, an operator any."""
        run = self._find(call, visible_owner(call))
        progress = self._progress.of([run])
        return Answer(run_figures(run, with_worker=is_operator(call), progress=progress))

    def stop(self, call: Call) -> Answer | Response:
        """As the owner would stop it. Sent again it changes nothing."""
        require(call.principal, Role.ADMIN)
        run = self._find(call, None)
        try:
            stopped = self._requests.stop(run.owner, run.id)
        except NotFound:
            raise not_found(run.id) from None
        log.info("run.stop_requested_by_admin run_id=%s", run.id)
        return Answer({"run_id": run.id, "status": "cancelled" if stopped.ended else "stopping"})

    def _find(self, call: Call, owner: str | None) -> RunFacts:
        run_id = run_id_of(call)
        run = self._db.read(lambda tx: read_facts(tx, owner, run_id))
        if run is None:
            raise not_found(run_id)
        return run
