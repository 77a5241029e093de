"""A person's answer to the agent's question: checked, stored, handed to a worker (R10)."""

from dataclasses import dataclass

import orjson

from shared.db.database import Database
from shared.db.models import RunRow
from shared.db.runs import approvals
from shared.errors import Expired, NotFound
from shared.event_log.keys import RunKeys, feed_tag
from shared.event_log.store import EventLog, LogView
from shared.protocol.events import decode
from shared.protocol.state_events import StateEvents
from shared.task_queue import TaskQueue
from web.payloads import ApprovalPayload
from web.sockets.connections import Connection

_MATTERS = (b'["approval.', b'["run.')  # the beginnings of entries that open or close questions


@dataclass(frozen=True)
class Answered:
    """The answered question: `approval_id` is the seq of its `approval.request`."""

    run_id: str
    session_id: str | None
    approval_id: int


class Approvals:
    """Gateways resolve questions first in, first out: so only the oldest open one is answered."""

    def __init__(self, db: Database, event_log: EventLog, queue: TaskQueue) -> None:
        self._db = db
        self._event_log = event_log
        self._queue = queue

    def answer(self, connection: Connection, payload: ApprovalPayload) -> Answered:
        """As `answer_of`, of the connection's owner."""
        return self.answer_of(connection.owner, payload)

    def answer_of(self, owner: str, payload: ApprovalPayload) -> Answered:
        """Answer the run's oldest open question, or the one that is named if it is that.

        Raises NotFound (no such live run), Expired (no open question, or it was answered).
        """
        run = self._db.read(
            lambda tx: approvals.live_run(tx, owner, payload.session_id, payload.run_id)
        )
        if run is None:
            raise NotFound("There is no live run that could be answered.")
        approval_id = self._oldest_open(run)
        if payload.approval_id not in {None, approval_id}:
            raise Expired
        choice = payload.choice
        if not self._db.write(lambda tx: approvals.answer(tx, run.id, approval_id, choice)):
            raise Expired
        self._queue.answer_approval(run.id, approval_id)
        return Answered(run.id, run.session_id, approval_id)

    def answer_all(self, owner: str, run_id: str, choice: str) -> list[Answered]:
        """Answer all open questions of the run alike, oldest first: gateways take them in any order
        then. Raises NotFound, Expired, as `answer_of`."""
        payload = ApprovalPayload.model_validate({"run_id": run_id, "choice": choice})
        answered: list[Answered] = []
        while True:
            try:
                answered.append(self.answer_of(owner, payload))
            except (Expired, NotFound):
                if not answered:
                    raise
                return answered

    def _oldest_open(self, run: RunRow) -> int:
        tag = feed_tag(run.owner, run.session_id, run.id)
        view = self._event_log.read([(RunKeys(tag, run.id), 0)])[0]
        asked = open_questions(questions_of(view)) if view is not None else []
        answered = self._db.read(lambda tx: approvals.answered(tx, run.id))
        still_open = [seq for seq in asked if seq not in answered]
        if not still_open:
            raise Expired
        return still_open[0]


def open_questions(state: StateEvents) -> list[int]:
    """The seqs of the questions without an answer, oldest first."""
    return [request["seq"] for request in state.open_approvals()]


def questions_of(view: LogView, before: StateEvents | None = None) -> StateEvents:
    """The fold of what opens and closes questions in a log; of a view of what came after `before`,
    the continuation of that, which itself is not changed."""
    if before is not None:
        state = StateEvents.from_state(before.to_state())
    elif view.checkpoint is not None:
        state = StateEvents.from_state(orjson.loads(view.checkpoint)["state_events"])
    else:
        state = StateEvents()
    for entry in view.entries:
        if entry.startswith(_MATTERS):
            state.apply(decode(entry)[1])
    return state
