"""A socket comes and goes."""

import logging
import re
from collections.abc import Mapping
from typing import Any

from flask import request
from flask_socketio import ConnectionRefusedError as Refused
from flask_socketio import SocketIO

from shared.errors import RedisUnavailable
from shared.hermes.profiles import DEFAULT
from shared.protocol.events import NAMESPACE
from web.auth import Authenticator, Unauthenticated
from web.recovery.recovery import Recovery
from web.resume.membership import Membership
from web.sockets.connections import Connection, Connections
from web.sockets.emitter import Emitter
from web.sockets.engineio_internals import SocketServer

log = logging.getLogger(__name__)

PROTOCOL_WITH_OWN_ABORTS = "2"

KEPT_OF_REQUEST = (
    "REQUEST_METHOD",
    "SCRIPT_NAME",
    "PATH_INFO",
    "QUERY_STRING",
    "SERVER_NAME",
    "SERVER_PORT",
    "SERVER_PROTOCOL",
    "HTTP_HOST",
    "HTTP_USER_AGENT",
    "wsgi.url_scheme",
    "flask.app",
)

# socket.io-client writes these two in this order, clients in Python the other way round.
_JAVASCRIPT_QUERY = re.compile(rb"(?:^|&)EIO=4&transport=")
# Browsers, Node (also without any), Bun, Deno. Offsets are one more argument than handlers in other
# languages may take.
_JAVASCRIPT_AGENT = re.compile(r"$|Mozilla/|node|Bun|Deno", re.IGNORECASE)


class ConnectHandler:
    """Lets sockets in, and cleans up behind them."""

    def __init__(
        self,
        socketio: SocketIO,
        server: SocketServer,
        authenticator: Authenticator,
        connections: Connections,
        rooms: Membership,
        emitter: Emitter,
        recovery: Recovery,
    ) -> None:
        self._recovery = recovery
        self._server = server
        self._authenticator = authenticator
        self._connections = connections
        self._rooms = rooms
        self._emitter = emitter
        socketio.on_event("connect", self.connect, namespace=NAMESPACE)
        socketio.on_event("disconnect", self.disconnect, namespace=NAMESPACE)

    def connect(self, auth: object = None) -> None:
        """Refuses with "Authentication failed"; the profile is only looked at by `run` (P16)."""
        said = auth if isinstance(auth, Mapping) else {}
        try:
            principal = self._authenticator.authenticate(said.get("token"))
        except Unauthenticated as error:
            log.info("socket.refused")
            raise Refused(str(error)) from None
        sid: str = request.sid  # type: ignore[attr-defined]
        connection = Connection(
            sid=sid,
            transport_id=self._server.transport_id(sid),
            owner=principal.owner,
            profile=request.args.get("profile") or DEFAULT,
            hears_own_aborts=_protocol(said) == PROTOCOL_WITH_OWN_ABORTS,
        )
        if wants_recovery(said):
            try:
                self._recovery.arrive(connection, said)
            except RedisUnavailable:
                log.warning("socket.sent_away sid=%s redis=away", sid)
                self._emitter.close(connection)
                return
        environ = self._server.request_environ(connection.transport_id)
        if environ is None:
            self._recovery.leave(connection, for_good=False)  # gone while Redis was asked
            return
        self._connections.add(connection)
        self._server.replace_environ(connection.transport_id, _kept(environ))

    def disconnect(self, reason: object = None) -> None:
        """Leaves all rooms. No run ends because of it."""
        connection = self._connections.remove(request.sid)  # type: ignore[attr-defined]
        if connection is not None:
            self._rooms.leave_all(connection)
            for_good = reason == self._server.disconnect_reasons.CLIENT_DISCONNECT
            self._recovery.leave(connection, for_good=for_good)


def wants_recovery(said: Mapping[str, Any]) -> bool:
    """Whether the client of this request can be recovered, by its own word or by its looks (P3)."""
    asked = request.args.get("recovery", said.get("recovery"))
    if asked is not None:
        return str(asked) == "1"
    return (
        _protocol(said) != PROTOCOL_WITH_OWN_ABORTS
        and _JAVASCRIPT_QUERY.search(request.query_string) is not None
        and _JAVASCRIPT_AGENT.match(request.headers.get("User-Agent", "")) is not None
    )


def _kept(environ: Mapping[str, Any]) -> dict[str, Any]:
    """What Flask and a later CONNECT on the same connection need of the request, which is kept as
    long as the connection: without its buffers and most of its headers."""
    return {name: environ[name] for name in KEPT_OF_REQUEST if name in environ}


def _protocol(said: Mapping[str, Any]) -> str:
    return str(request.args.get("protocol") or said.get("protocol") or "")
