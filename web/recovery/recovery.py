"""Connection state recovery: a socket that comes back is sent what it missed, unasked (P3).

Problem: clients that do not know `resume` with a cursor lose their process, or their network, while
a run is live. They come back with what socket.io-client (4.6 and later) keeps: a `pid` and the
offset of the last event, which names no session.

Idea: the answer to CONNECT carries a secret `pid`, and Redis has a record under it of what the
socket watches. A CONNECT with `pid` and offset is answered with the same pid; then, before the
socket's first request, each of its sessions is joined again, with the entries after the offset or,
where they would not continue what the client has, with a resync.

Invariant: what was on its way when the connection broke is sent again, what arrived is not, and if
that cannot be known the session is shown anew. docs/adr/0010 has the reasons.
"""

import logging
from collections.abc import Mapping
from typing import Any

from shared.protocol.events import Payload
from web.recovery.lost_socket import LostSocket, continued_record, fresh_record, lost_socket
from web.recovery.offset import parse_offset
from web.recovery.rejoin import Rejoin
from web.recovery.store import RecoveryStore, new_pid
from web.sockets.connections import Connection, Connections
from web.sockets.engineio_internals import SocketServer
from web.sockets.request_queue import RequestQueue

log = logging.getLogger(__name__)

PID_MAX = 64  # characters


class Recovery:
    """Recognizes sockets that come back, and has them shown what they missed."""

    def __init__(
        self,
        *,
        store: RecoveryStore,
        rejoin: Rejoin,
        requests: RequestQueue,
        connections: Connections,
    ) -> None:
        self._store = store
        self._rejoin = rejoin
        self._requests = requests
        self._connections = connections
        self._returning: dict[str, LostSocket] = {}  # by sid, until their CONNECT is answered

    def install(self, server: SocketServer) -> None:
        """Add the pid to the answer to CONNECT, and show what was missed right after it."""
        server.extend_connect_answer(self._pid_field, self._on_connect_answered)

    def identify(self, connection: Connection, auth: Mapping[str, Any]) -> None:
        """Give the socket a pid: the one in its `auth`, if that was its own; else a new one.

        Raises RedisUnavailable: without the record nobody knows whether the socket comes back.
        """
        pid, text = auth.get("pid"), auth.get("offset")
        offset = parse_offset(text)
        record = None
        known = pid if isinstance(pid, str) and len(pid) <= PID_MAX else ""
        if known and (text is None or offset is not None):
            record = self._store.find(known, connection.owner)
        if record is None:
            known = new_pid()
            new, now = fresh_record(offset)
        else:
            self._returning[connection.sid] = lost_socket(record, offset, connection.owner)
            new, now = continued_record(record, offset)
        self._store.open(connection.sid, connection.owner, known, new, now)

    def disconnected(self, connection: Connection, *, for_good: bool) -> None:
        """The socket is gone. Its record stays for a while, unless the client closed it itself."""
        self._returning.pop(connection.sid, None)
        self._store.close(connection.sid, for_good=for_good)

    def _pid_field(self, sid: str) -> Payload:
        tracker = self._store.trackers.get(sid)
        return {"pid": tracker.pid} if tracker is not None else {}

    def _on_connect_answered(self, sid: str) -> None:
        connection = self._connections.get(sid)
        if connection is not None:
            self.begin(connection)

    def begin(self, connection: Connection) -> None:
        """Show the socket what it missed, if it came back, before its first request."""
        lost = self._returning.pop(connection.sid, None)
        if lost is not None:
            self._requests.first(connection.sid, lambda: self._rejoin.all(connection, lost))
