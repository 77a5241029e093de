"""A socket comes and goes."""

import logging
from collections.abc import Mapping
from typing import Any

from flask import request
from flask_socketio import ConnectionRefusedError as Refused
from flask_socketio import SocketIO

from shared.events import NAMESPACE
from shared.profiles import DEFAULT
from web.auth import Authenticator, Unauthenticated
from web.connections import Connection, Connections
from web.emitter import Emitter
from web.rooms import Rooms

log = logging.getLogger(__name__)

PROTOCOL_WITH_OWN_ABORTS = "2"


class Handshake:
    """Lets sockets in, and cleans up behind them."""

    def __init__(
        self,
        socketio: SocketIO,
        authenticator: Authenticator,
        connections: Connections,
        rooms: Rooms,
        emitter: Emitter,
    ) -> None:
        self._server = socketio.server
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
            transport_id=self._server.manager.eio_sid_from_sid(sid, NAMESPACE),
            owner=principal.owner,
            profile=request.args.get("profile") or DEFAULT,
            hears_own_aborts=_protocol(said) == PROTOCOL_WITH_OWN_ABORTS,
        )
        self._connections.add(connection)

    def disconnect(self, *_reason: object) -> None:
        """Leaves all rooms. No run ends because of it."""
        connection = self._connections.remove(request.sid)  # type: ignore[attr-defined]
        if connection is not None:
            self._emitter.forget(connection.transport_id)
            self._rooms.leave_all(connection)


def _protocol(said: Mapping[str, Any]) -> str:
    return str(request.args.get("protocol") or said.get("protocol") or "")
