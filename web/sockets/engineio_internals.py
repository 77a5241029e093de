"""The only module that uses undocumented names of python-socketio and python-engineio.

Why they are needed at all: an event that goes to many sockets is encoded once, requests of one
socket keep their order and know whether an acknowledgement was asked for, the answer to CONNECT
carries a recovery id, and an idle WebSocket costs no thread. The documented interface offers none
of these. A minor release of either library may change what is used here, so the versions are
bounded in pyproject.toml, and `check` compares every name and signature when a process starts.

Everything else in web/ goes through `SocketServer` and `EngineioConnection`; a unit test reads the
source of web/ and fails when another module reaches into the libraries.
"""

import inspect
import time
from collections.abc import Callable, Collection, Mapping
from importlib import metadata
from typing import Any, Final
from urllib.parse import parse_qs

import engineio
import engineio.packet
import engineio.server
import engineio.socket
import socketio
import socketio.packet
from engineio.exceptions import QueueEmpty, SocketIsClosedError, UnknownPacketError
from engineio.packet import MESSAGE, NOOP, PING, PONG, UPGRADE, Packet

from shared.errors import HoldfastError
from shared.protocol.events import NAMESPACE, Payload

__all__ = [
    "MESSAGE",
    "NOOP",
    "PING",
    "PONG",
    "UPGRADE",
    "EngineioConnection",
    "EventPacket",
    "IncompatibleLibrary",
    "Malformed",
    "Packet",
    "QueueEmpty",
    "SocketIsClosedError",
    "SocketServer",
    "UnknownPacketError",
    "check",
    "opens_connection",
    "parse_packet",
    "screen_message",
    "session_of",
]

#: Library -> the minor release whose undocumented names are known; pyproject.toml has the same.
KNOWN_VERSIONS: Final = {"python-engineio": "4.15", "python-socketio": "5.18"}

OnEvent = Callable[[str, list[Any], int | None], None]
OnConnect = Callable[[str], Payload]
OnConnected = Callable[[str], None]
NewConnection = Callable[[Any, str], Any]


class IncompatibleLibrary(HoldfastError):
    """A library is installed in a version whose inner names differ from those that are used."""

    code = "incompatible_library"

    def __init__(self, library: str, missing: str) -> None:
        """`missing`: the name, with its parameters if it is a function."""
        super().__init__(
            f"{library} {metadata.version(library)} has no `{missing}`, which Holdfast uses; it is "
            f"known to work with {library} {KNOWN_VERSIONS[library]}. Install the versions of "
            "requirements.lock (`pip install -r requirements.lock`)."
        )
        self.library = library
        self.missing = missing


class SocketServer:
    """One `socketio.Server`: its connections, and the two places where its flow is replaced."""

    def __init__(self, server: Any) -> None:
        """Raises IncompatibleLibrary."""
        check(server)
        self._server = server
        self._engine = server.eio
        self.disconnect_reasons = server.reason

    # -- connections -------------------------------------------------------------------------

    def connections(self) -> "list[EngineioConnection]":
        """The open Engine.IO connections, as of now."""
        return list(self._engine.sockets.values())

    def connection_ids(self) -> Collection[str]:
        """The ids of the open Engine.IO connections."""
        ids: Collection[str] = self._engine.sockets
        return ids

    def connection(self, transport_id: str) -> "EngineioConnection | None":
        """The Engine.IO connection of that id, unless it is gone."""
        found: EngineioConnection | None = self._engine.sockets.get(transport_id)
        return found

    def abandon(self, transport_id: str) -> None:
        """Close that connection without waiting for what is queued on it, unless it is gone."""
        connection = self.connection(transport_id)
        if connection is not None:
            connection.abandon()

    def transport_id(self, sid: str) -> str:
        """The id of the Engine.IO connection that a socket of our namespace uses."""
        transport_id: str = self._server.manager.eio_sid_from_sid(sid, NAMESPACE)
        return transport_id

    def sid(self, transport_id: str) -> str | None:
        """The socket of our namespace on that Engine.IO connection, if there is one."""
        sid: str | None = self._server.manager.sid_from_eio_sid(transport_id, NAMESPACE)
        return sid

    def request_environ(self, transport_id: str) -> dict[str, Any] | None:
        """The WSGI environment of the request that opened the connection; None: it is gone."""
        environ: dict[str, Any] | None = self._server.environ.get(transport_id)
        return environ

    def replace_environ(self, transport_id: str, environ: dict[str, Any]) -> None:
        """Keep this environment for the life of the connection."""
        self._server.environ[transport_id] = environ

    def on_new_connection(self, call: Callable[[str, dict[str, Any]], None]) -> None:
        """Have `call(transport_id, environ)` be called for each new Engine.IO connection."""
        connect = self._engine.handlers["connect"]

        def connected(transport_id: str, environ: dict[str, Any]) -> Any:
            result = connect(transport_id, environ)
            call(transport_id, environ)
            return result

        self._engine.handlers["connect"] = connected

    # -- sending -----------------------------------------------------------------------------

    def enqueue(self, transport_id: str, packet: Packet, most: int, most_bytes: int) -> bool:
        """Queue a packet without waiting; False when `most` packets or `most_bytes` are queued
        already.

        A packet for a connection that is gone is dropped. It does not go through the connection's
        own `send`, which may find the client gone and call disconnect handlers in this thread.
        """
        connection = self._engine.sockets.get(transport_id)
        if connection is None or connection.closed or connection.closing:
            return True
        if connection.queue.qsize() >= most or connection.unsent_bytes() >= most_bytes:
            return False
        connection.queue.put(packet)
        return True

    def acknowledge(self, transport_id: str, packet_id: int, result: Payload) -> None:
        """Send the acknowledgement of the event that came with this packet id."""
        packet = self._server.packet_class(
            socketio.packet.ACK, namespace=NAMESPACE, id=packet_id, data=[result]
        )
        self._server._send_packet(transport_id, packet)

    # -- replaced flow -----------------------------------------------------------------------

    def replace_dispatch(self, on_event: OnEvent) -> None:
        """Call `on_event(sid, [name, *arguments], packet_id)` for each event, in the thread that
        reads the socket, instead of the handlers registered with the library. `packet_id` is None
        when the client asked for no acknowledgement."""

        def dispatch(
            _server: Any, sid: str, _eio_sid: str, data: list[Any], _ns: str, packet_id: int | None
        ) -> None:
            on_event(sid, data, packet_id)

        self._server._handle_event_internal = dispatch

    def extend_connect_answer(self, fields: OnConnect, sent: OnConnected) -> None:
        """Add `fields(sid)` to the answer to each CONNECT, and call `sent(sid)` right after it."""
        send = self._server._send_packet

        def send_packet(transport_id: str, packet: Any) -> None:
            is_answer = (
                packet.packet_type == socketio.packet.CONNECT and packet.namespace == NAMESPACE
            )
            if not is_answer:
                send(transport_id, packet)
                return
            sid = packet.data["sid"]
            packet.data.update(fields(sid))
            send(transport_id, packet)
            sent(sid)

        self._server._send_packet = send_packet

    def replace_connections(self, new_connection: NewConnection) -> None:
        """Make Engine.IO connections by `new_connection(engine, id)` from now on. This changes the
        library's module: there is one server per process."""
        engineio.socket.Socket = new_connection

    def note_refusals(self, note: Callable[[str], object]) -> None:
        """Call `note` with a short name of each request that the library refuses, instead of
        logging an error for it. The names come from the library's code, not from clients."""
        self._engine._log_error_once = lambda _message, message_key: note(message_key)


class EngineioConnection(engineio.socket.Socket):
    """An Engine.IO connection of the library, with the parts named that ours replaces or uses."""

    connected: bool
    upgrading: bool  # a WebSocket is being tried; the client still polls
    upgraded: bool  # everything goes over the WebSocket
    closing: bool
    closed: bool
    is_authenticated: bool  # ours
    last_ping: float | None  # when a ping was sent that is not answered, time.monotonic()
    queue: Any
    server: Any

    def __init__(self, server: Any, sid: str) -> None:
        super().__init__(server, sid)
        self.last_ping = time.monotonic()

    def check_ping_timeout(self) -> bool:
        """Close it if its last ping was not answered in time; False then. The library measures
        with the wall clock, which may be set. Raises SocketIsClosedError."""
        if self.closed:
            raise SocketIsClosedError
        sent = self.last_ping
        if not sent or time.monotonic() - sent <= self.server.ping_timeout:
            return True
        self.close(wait=False, abort=False, reason=self.server.reason.PING_TIMEOUT)
        return False

    def _upgrade_websocket(self, environ: Any, start_response: Any) -> Any:
        return self.open_websocket(environ, start_response)

    def close(self, wait: bool = True, abort: bool = False, reason: Any = None) -> None:
        """Close it. `wait` has no effect: the library would wait until the client has fetched what
        is queued, which a client that is gone never does."""
        super().close(wait=False, abort=abort, reason=reason)

    def unsent_bytes(self) -> int:
        """Bytes that wait to be sent to its client."""
        return 0

    def open_websocket(self, environ: Any, start_response: Any) -> Any:
        """Serve the request of a WebSocket; the answer as the library expects it."""
        raise NotImplementedError

    def mark_authenticated(self) -> None:
        """A token that came over it was valid."""
        raise NotImplementedError

    def mark_refused(self) -> None:
        """A token that came over it was wrong."""
        raise NotImplementedError

    def refuse(self) -> Any:
        """The answer 400 to a request."""
        return self.server._bad_request()

    def close_as_lost(self) -> None:
        """Close it as a lost network would: clients reconnect after that. A Socket.IO DISCONNECT or
        an Engine.IO CLOSE packet would end them for good (P2)."""
        self.close(wait=False, abort=True, reason=self.server.reason.TRANSPORT_CLOSE)

    def abandon(self) -> None:
        """The same for a client that reads too slowly: what is queued need not be sent first."""
        self.close_as_lost()

    def forget(self) -> None:
        """Take it out of the server's connections."""
        self.server.sockets.pop(self.sid, None)


class Malformed(UnknownPacketError):
    """A client sent something that is no packet of the protocol, or one that nobody may send."""


def session_of(environ: Mapping[str, Any]) -> str:
    """The id of the Engine.IO connection that a request belongs to; empty: of a new one."""
    query = parse_qs(str(environ.get("QUERY_STRING", "")))  # as the library reads it
    return query.get("sid", [""])[0]


def opens_connection(environ: Mapping[str, Any]) -> bool:
    """Whether the request opens an Engine.IO connection."""
    query = parse_qs(str(environ.get("QUERY_STRING", "")))
    return "EIO" in query and "sid" not in query


def parse_packet(encoded: str | bytes) -> Packet:
    """An Engine.IO packet of a client. Raises Malformed."""
    try:
        packet = Packet(encoded_packet=encoded)
    except Exception as error:
        raise Malformed from error
    if packet.packet_type == MESSAGE and isinstance(packet.data, dict | list):
        packet.data = encoded[1:]  # the library parses JSON where a text is meant
    return packet


def screen_message(message: object) -> str | None:
    """Look at a Socket.IO packet of a client before the library handles it, since the library logs
    a traceback for each that it cannot parse, and keeps one that announces attachments for ever.

    None: let the library handle it. A text: the answer to send instead, empty for none. Raises
    Malformed.
    """
    if not isinstance(message, str):
        raise Malformed  # a binary attachment; none was announced
    try:
        packet = socketio.packet.Packet(encoded_packet=message)
    except Exception as error:
        raise Malformed from error
    if packet.packet_type not in _FROM_CLIENTS:
        raise Malformed
    if (packet.namespace or "/") != NAMESPACE:
        is_connect = packet.packet_type == socketio.packet.CONNECT
        return _refuse_namespace(packet.namespace or "/") if is_connect else ""
    if packet.packet_type == socketio.packet.EVENT and not _is_event(packet.data):
        raise Malformed
    if packet.packet_type == socketio.packet.ACK:
        return ""  # nothing is sent that asks for one
    return None


def _is_event(data: object) -> bool:
    return isinstance(data, list) and bool(data) and isinstance(data[0], str)


def _refuse_namespace(namespace: str) -> str:
    refusal = {"message": f"The only namespace is {NAMESPACE}."}
    packet = socketio.packet.Packet(
        socketio.packet.CONNECT_ERROR, data=refusal, namespace=namespace[:100]
    )
    answer: str = packet.encode()
    return answer


class EventPacket(Packet):
    """A Socket.IO event as Engine.IO packet, of bytes that are sent as they are. The text that
    polling needs is decoded only when it is asked for."""

    def __init__(self, entry: bytes) -> None:
        """`entry`: the JSON array `["name", …]` in UTF-8. The library's own constructor would look
        at text that does not exist yet."""
        self.packet_type = MESSAGE
        self.binary = False
        self.utf8 = _EVENT + entry

    @property
    def data(self) -> str:
        """The Socket.IO packet."""
        return self.utf8[1:].decode()

    def encode(self, b64: bool = False) -> str:
        """The Engine.IO packet as text."""
        return self.utf8.decode()


_FROM_CLIENTS: Final = frozenset(
    {
        socketio.packet.CONNECT,
        socketio.packet.DISCONNECT,
        socketio.packet.EVENT,
        socketio.packet.ACK,
    }
)
_EVENT: Final = f"{MESSAGE}{socketio.packet.EVENT}{NAMESPACE},".encode()

# -- the check at start ----------------------------------------------------------------------------

_LibrarySocket: Final = engineio.socket.Socket  # as it is before `replace_connections`

#: Library, owner, and what is used of it: a name, or a function with its parameters. An object that
#: is the owner of later lines is checked in an earlier one.
_USED: Final = (
    ("python-socketio", "Server", "eio", "manager", "environ"),
    ("python-socketio", "Server", "packet_class(packet_type, data, namespace, id)"),
    ("python-socketio", "Server", "_send_packet(eio_sid, pkt)"),
    (
        "python-socketio",
        "Server",
        "_handle_event_internal(server, sid, eio_sid, data, namespace, id)",
    ),
    ("python-socketio", "manager", "sid_from_eio_sid(eio_sid, namespace)"),
    ("python-socketio", "manager", "eio_sid_from_sid(sid, namespace)"),
    ("python-socketio", "packet", "ACK", "CONNECT", "EVENT"),
    ("python-engineio", "Server", "sockets", "handlers", "_bad_request()"),
    ("python-engineio", "Server", "_log_error_once(message, message_key)"),
    ("python-engineio", "Server", "ping_interval", "ping_timeout", "max_http_buffer_size"),
    ("python-engineio", "server.socket", "Socket"),
    ("python-engineio", "Socket", "connected", "upgrading", "upgraded", "closing", "closed"),
    ("python-engineio", "Socket", "last_ping", "queue", "schedule_ping()", "check_ping_timeout()"),
    ("python-engineio", "Socket", "handle_get_request(environ, start_response)"),
    ("python-engineio", "Socket", "handle_post_request(environ)", "poll()"),
    ("python-engineio", "Socket", "receive(pkt)", "send(pkt)", "close(wait, abort, reason)"),
    ("python-engineio", "Socket", "_upgrade_websocket(environ, start_response)"),
    ("python-engineio", "packet", "Packet(packet_type, data, encoded_packet)"),
    ("python-engineio", "packet", "MESSAGE", "NOOP", "PING", "PONG", "UPGRADE"),
    ("python-engineio", "Packet", "encode()", "packet_type", "data"),
)


def check(server: Any) -> None:
    """Compare every undocumented name that is used with the installed libraries.

    `server`: a `socketio.Server`. Raises IncompatibleLibrary, which says what is missing.
    """
    owners: dict[tuple[str, str], Callable[[], Any]] = {
        ("python-socketio", "Server"): lambda: server,
        ("python-socketio", "manager"): lambda: server.manager,
        ("python-socketio", "packet"): lambda: socketio.packet,
        ("python-engineio", "Server"): lambda: server.eio,
        ("python-engineio", "server.socket"): lambda: getattr(engineio.server, "socket", None),
        ("python-engineio", "Socket"): lambda: _LibrarySocket(server.eio, "check"),
        ("python-engineio", "packet"): lambda: engineio.packet,
        ("python-engineio", "Packet"): lambda: Packet(NOOP),
    }
    for library, owner, *used in _USED:
        found = owners[library, owner]()
        for name in used:
            if not _has(found, name):
                raise IncompatibleLibrary(library, f"{owner}.{name}")


def _has(owner: Any, used: str) -> bool:
    """Whether the owner has the name, and the function of that name takes these parameters."""
    name, bracket, parameters = used.rstrip(")").partition("(")
    if not hasattr(owner, name):
        return False
    if not bracket:
        return True
    try:
        taken = inspect.signature(getattr(owner, name)).parameters.values()
    except (TypeError, ValueError):
        return False
    given = {parameter for parameter in parameters.split(", ") if parameter}
    needed = {p.name for p in taken if p.default is p.empty and p.kind is not p.VAR_KEYWORD}
    return needed <= given <= {p.name for p in taken}
