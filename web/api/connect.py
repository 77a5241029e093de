"""Connects and disconnects sockets."""

import logging
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from flask import request
from flask_socketio import ConnectionRefusedError as Refused
from flask_socketio import SocketIO

from shared.errors import RedisUnavailable, Unavailable
from shared.hermes.profiles import DEFAULT
from shared.protocol.events import NAMESPACE
from web.access.principal import ForeignOrigin, Principal, Unauthenticated
from web.api.request_auth import PRINCIPAL, RequestAuth
from web.recovery.recovery import Recovery
from web.resume.membership import Membership
from web.server.client_faults import ClientFaults
from web.sockets.connections import Connection, Connections
from web.sockets.emitter import Emitter
from web.sockets.engineio_internals import SocketServer

log = logging.getLogger(__name__)

PROTOCOL_WITH_OWN_ABORTS = "2"

ENVIRON_KEPT = (
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
    "holdfast.address",
    "flask.app",
)

# socket.io-client writes these two in this order, clients in Python the other way round.
_JAVASCRIPT_QUERY = re.compile(rb"(?:^|&)EIO=4&transport=")
# Browsers, Node (also without any), Bun, Deno. Offsets are one more argument than handlers in other
# languages may take.
_JAVASCRIPT_AGENT = re.compile(r"$|Mozilla/|node|Bun|Deno", re.IGNORECASE)


class ConnectHandler:
    """Authenticates sockets at their connect, and removes them at their disconnect."""

    def __init__(
        self,
        *,
        server: SocketServer,
        auth: RequestAuth,
        connections: Connections,
        membership: Membership,
        emitter: Emitter,
        recovery: Recovery,
        sockets_per_owner: int,
        faults: ClientFaults,
    ) -> None:
        self._sockets_per_owner = sockets_per_owner
        self._faults = faults
        self._recovery = recovery
        self._server = server
        self._auth = auth
        self._connections = connections
        self._membership = membership
        self._emitter = emitter

    def install(self, socketio: SocketIO) -> None:
        """Register both handlers."""
        socketio.on_event("connect", self.connect, namespace=NAMESPACE)
        socketio.on_event("disconnect", self.disconnect, namespace=NAMESPACE)

    def connect(self, auth: object = None) -> None:
        """Refuse with "Authentication failed", or add the socket. Its profile is only checked by
        `run` (P16)."""
        given = auth if isinstance(auth, Mapping) else {}
        try:
            principal = self._auth.of_socket(request.environ, given.get("token"))
        except (Unauthenticated, ForeignOrigin) as error:
            self._refuse(str(error))
        except Unavailable as error:
            log.warning("socket.closed_at_connect sid=%s error=%s", request.sid, error.code)  # type: ignore[attr-defined]
            self._server.abandon(self._server.transport_id(request.sid))  # type: ignore[attr-defined]
            return
        if self._connections.of_owner(principal.owner) >= self._sockets_per_owner:
            self._refuse("Too many sockets of this user; close some first.")
        sid: str = request.sid  # type: ignore[attr-defined]
        connection = Connection(
            sid=sid,
            transport_id=self._server.transport_id(sid),
            owner=principal.owner,
            profile=request.args.get("profile", "").strip() or DEFAULT,
            receives_own_aborts=_protocol(given) == PROTOCOL_WITH_OWN_ABORTS,
            principal=principal,
        )
        if wants_recovery(given):
            try:
                self._recovery.identify(connection, given)
            except RedisUnavailable:
                log.warning("socket.closed_at_connect sid=%s redis=unavailable", sid)
                self._emitter.close(connection)
                return
        environ = self._server.request_environ(connection.transport_id)
        if environ is None:
            self._recovery.disconnected(connection, for_good=False)  # while Redis was asked
            return
        transport = self._server.connection(connection.transport_id)
        if transport is not None:
            transport.mark_authenticated()
        self._connections.add(connection)
        self._server.replace_environ(connection.transport_id, _kept(environ, principal))

    def _refuse(self, message: str) -> NoReturn:
        """Refuse the CONNECT. Its connection is closed soon, unless a valid one comes."""
        self._faults.note("refused_connect")
        transport = self._server.connection(self._server.transport_id(request.sid))  # type: ignore[attr-defined]
        if transport is not None:
            transport.mark_refused()
        raise Refused(message) from None

    def disconnect(self, reason: object = None) -> None:
        """Remove the socket from all feeds. No run ends because of it."""
        connection = self._connections.remove(request.sid)  # type: ignore[attr-defined]
        if connection is not None:
            self._membership.leave_all(connection)
            for_good = reason == self._server.disconnect_reasons.CLIENT_DISCONNECT
            self._recovery.disconnected(connection, for_good=for_good)


def wants_recovery(auth: Mapping[str, Any]) -> bool:
    """Whether the client of this request can be recovered: it says so, or is a socket.io-client in
    JavaScript that does not speak protocol 2 (P3)."""
    asked = request.args.get("recovery") or auth.get("recovery")
    if asked is not None and asked != "":
        return str(asked) == "1"
    return (
        _protocol(auth) != PROTOCOL_WITH_OWN_ABORTS
        and _JAVASCRIPT_QUERY.search(request.query_string) is not None
        and _JAVASCRIPT_AGENT.match(request.headers.get("User-Agent", "")) is not None
    )


def _kept(environ: Mapping[str, Any], principal: Principal) -> dict[str, Any]:
    """What Flask and a later CONNECT on the same connection need of the request. It lives as long
    as the connection, so its buffers and most of its headers are left out, and of a cookie only
    whom it stood for is kept."""
    kept = {name: environ[name] for name in ENVIRON_KEPT if name in environ}
    return kept | {PRINCIPAL: principal} if principal.credential.cookie else kept


def _protocol(auth: Mapping[str, Any]) -> str:
    return str(request.args.get("protocol") or auth.get("protocol") or "")
