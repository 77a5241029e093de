"""What clients may send on `/chat-run`: parse, call, acknowledge."""

from typing import Any

from shared.protocol.events import Payload
from web.api.approvals import Approvals
from web.api.run_requests import RunRequests
from web.payloads import (
    AbortPayload,
    ApprovalPayload,
    CancelPayload,
    ResumePayload,
    RunPayload,
    parse,
)
from web.resume.resume import Resume
from web.sockets.connections import Connection
from web.sockets.request_queue import Handler

Args = tuple[Any, ...]


class SocketEvents:
    """Each handler returns its acknowledgement or raises an error of `shared.errors`."""

    def __init__(self, requests: RunRequests, resume: Resume, approvals: Approvals) -> None:
        self._requests = requests
        self._resume = resume
        self._approvals = approvals

    def by_event(self) -> dict[str, Handler]:
        """Event name -> handler."""
        return {
            "run": self.run,
            "resume": self.resume,
            "abort": self.abort,
            "queue.cancel": self.cancel,
            "approval": self.approval,
        }

    def run(self, connection: Connection, args: Args) -> Payload:
        """`{run_id, session_id?, status}` of the accepted run."""
        accepted = self._requests.start(connection, parse(RunPayload, args))
        return _acknowledgement(accepted.run_id, accepted.session_id, accepted.status)

    def resume(self, connection: Connection, args: Args) -> Payload:
        """The same of the run that `resumed` names, as far as there is one."""
        return self._resume.resume(connection, parse(ResumePayload, args))

    def abort(self, connection: Connection, args: Args) -> Payload:
        """The same of the run that stops."""
        stopped = self._requests.abort(connection, parse(AbortPayload, args))
        return _acknowledgement(stopped.run_id, stopped.session_id, stopped.status)

    def cancel(self, connection: Connection, args: Args) -> Payload:
        """The same of the run that was taken back, with its input."""
        stopped = self._requests.cancel(connection, parse(CancelPayload, args))
        named = _acknowledgement(stopped.run_id, stopped.session_id, stopped.status)
        return named if stopped.input is None else {**named, "input": stopped.input}

    def approval(self, connection: Connection, args: Args) -> Payload:
        """Run, session and `approval_id` of the question that was answered."""
        answered = self._approvals.answer(connection, parse(ApprovalPayload, args))
        named = _acknowledgement(answered.run_id, answered.session_id, "answered")
        return {**named, "approval_id": answered.approval_id}


def _acknowledgement(run_id: str, session_id: str | None, status: str) -> Payload:
    named = {"session_id": session_id} if session_id is not None else {}
    return {"run_id": run_id, "status": status, **named}
