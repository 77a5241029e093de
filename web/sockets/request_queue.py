"""Requests of one socket, served one after the other, each answered.

python-socketio does not say to its handlers whether the client asked for an acknowledgement; only
the method that is replaced here knows the packet's id. With an id the result is the
acknowledgement; without, refusals are sent to the socket as an event (P4).
"""

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from shared.errors import ClientError, HoldfastError, Overloaded, QuotaExceeded
from shared.protocol.events import Payload, encode
from web.server.client_faults import ClientFaults
from web.sockets.connections import Connection, Connections
from web.sockets.emitter_protocol import Deliver
from web.sockets.engineio_internals import SocketServer
from web.sockets.rate_limit import RateLimit, TooManyRequests

log = logging.getLogger(__name__)

DRAINED = 1 << 16  # unsent bytes of a socket whose next request is served
DRAIN_LOOK = 0.05  # seconds
READING = frozenset({"resume"})  # requests that change nothing
WAITING_MAX = 64  # requests of one socket, the one that is served included

Handler = Callable[[Connection, tuple[Any, ...]], Payload]
_Work = Callable[[], None]
Refused = Callable[[str, tuple[Any, ...], Payload], bytes | None]


class UnknownEvent(ClientError):
    """There is no such event."""

    code = "unknown_event"


@dataclass(frozen=True)
class _Request:
    connection: Connection
    packet_id: int | None
    name: str
    args: tuple[Any, ...]


class RequestQueue:
    """Install once on a `socketio.Server`."""

    def __init__(
        self,
        server: SocketServer,
        connections: Connections,
        emitter: Deliver,
        *,
        handlers: Mapping[str, Handler],
        refused: Refused,
        faults: ClientFaults,
        per_second: int = 50,
        owners: RateLimit | None = None,
    ) -> None:
        """`refused(name, args, error)` is the event for a client that asked for no answer.
        `per_second`: requests of one socket, for ten seconds as many as it likes of these.
        `owners`: of all requests of an owner, whatever they come by."""
        self._faults = faults
        self._rates = RateLimit(per_second)
        self._owners = owners
        self._server = server
        self._connections = connections
        self._emitter = emitter
        self._handlers = handlers
        self._refused = refused
        self._waiting: dict[str, deque[_Work]] = {}

    def install(self) -> None:
        """Take the place of python-socketio's own dispatch."""
        self._server.replace_dispatch(self.on_event)

    def on_event(self, sid: str, data: list[Any], packet_id: int | None) -> None:
        """Queue an event `[name, *arguments]` of a socket. Returns at once: the socket's reader
        must go on reading."""
        connection = self._connections.get(sid)
        if connection is None:
            return
        request = _Request(connection, packet_id, str(data[0]), tuple(data[1:]))
        waiting = self._waiting.get(sid)
        try:
            self._rates.require(sid)
            if self._owners is not None:
                self._owners.require(connection.owner)
        except TooManyRequests as error:
            self._refuse(request, error)
            return
        if waiting is None:
            self.first(sid, partial(self._serve, request))
        elif len(waiting) < WAITING_MAX:
            waiting.append(partial(self._serve, request))
        else:
            self._refuse(request, TooManyRequests())

    def _refuse(self, request: _Request, error: TooManyRequests) -> None:
        self._faults.note("request.too_many_requests")
        self._answer(request, _error(error))

    def first(self, sid: str, work: _Work) -> None:
        """Begin a queue of the socket with this work; call it only while there is none."""
        self._waiting[sid] = deque([work])
        threading.Thread(target=self._serve_all, args=(sid,), name="requests", daemon=True).start()

    def is_idle(self, sid: str) -> bool:
        """Whether every request of the socket is answered."""
        return sid not in self._waiting

    def _serve_all(self, sid: str) -> None:
        waiting = self._waiting[sid]
        while waiting:
            try:
                self._wait_until_drained(sid)
                waiting[0]()
            except Exception:  # the edge: one failed answer must not stop the queue
                log.exception("request.unanswered sid=%s", sid)
            waiting.popleft()
        del self._waiting[sid]

    def _wait_until_drained(self, sid: str) -> None:
        """A client that does not read its answers gets no further ones, each of which may be large.
        One that never reads is closed, since it does not answer pings either."""
        while (connection := self._connections.get(sid)) is not None and not connection.closed:
            transport = self._server.connection(connection.transport_id)
            if transport is None or transport.unsent_bytes() <= DRAINED:
                return
            time.sleep(DRAIN_LOOK)

    def _serve(self, request: _Request) -> None:
        if request.connection.closed and request.name in READING:
            return  # nobody is there to be shown anything; what changes something is done
        self._answer(request, self._result(request))

    def _result(self, request: _Request) -> Payload:
        handler = self._handlers.get(request.name)
        try:
            if handler is None:
                raise UnknownEvent
            return {"ok": True, **handler(request.connection, request.args)}
        except HoldfastError as error:
            self._log_refusal(request.name[:50], error)
            return _error(error)
        except Exception:  # the edge: a bug answers `internal` and harms nobody else
            log.exception("request.failed event=%s", request.name[:50])
            return _error(HoldfastError("Something went wrong here; it has been logged."))

    def _log_refusal(self, name: str, error: HoldfastError) -> None:
        if isinstance(error, ClientError):
            self._faults.note(f"request.{error.code}", name)
        else:
            log.info("request.refused event=%s code=%s", name, error.code)

    def _answer(self, request: _Request, result: Payload) -> None:
        if request.packet_id is not None:
            self._server.acknowledge(request.connection.transport_id, request.packet_id, result)
        elif not result["ok"]:
            entry = self._refused(request.name, request.args, result["error"])
            if entry is not None:
                self._emitter.deliver([request.connection.sid], entry)


def _error(error: HoldfastError) -> Payload:
    wait = {}
    if isinstance(error, TooManyRequests | QuotaExceeded | Overloaded):
        wait["retry_after"] = max(1, math.ceil(error.retry_after))
    return {"ok": False, "error": {"code": error.code, "message": str(error), **wait}}


def refusal_event(name: str, args: tuple[Any, ...], error: Payload) -> bytes | None:
    """The event for a refused request whose client asked for no acknowledgement; None: none.

    A refused `run` ends like a failed one, since that is what clients wait for (P4). Existing
    clients send an `abort` after an end: its refusal is not sent.
    """
    if name == "abort" and error["code"] == "not_found":
        return None
    if name != "run":
        return encode("error", {"event": "error", **error})
    failed = {"event": "run.failed", "error": error["message"], "reason": error["code"]}
    return encode("run.failed", _with_session(failed, args))


def _with_session(failed: Payload, args: tuple[Any, ...]) -> Payload:
    session_id = args[0].get("session_id") if args and isinstance(args[0], dict) else None
    if isinstance(session_id, str) and len(session_id) <= 200 and session_id.isprintable():
        return {**failed, "session_id": session_id}
    return failed
