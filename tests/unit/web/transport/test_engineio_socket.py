"""Our Engine.IO connection does what python-engineio's does, without its threads."""

import io
import socket
import time
from collections.abc import Iterator
from typing import Any

import engineio.socket
import pytest
import socketio
from engineio.packet import MESSAGE, NOOP, PING, PONG, UPGRADE, Packet
from wsproto.connection import Connection, ConnectionType
from wsproto.events import CloseConnection, Message, TextMessage

from shared import runtime
from web.server.client_faults import ClientFaults
from web.server.connection_table import ConnectionLimits, ConnectionTable
from web.sockets.engineio_internals import SocketServer
from web.transport import engineio_socket
from web.transport.engineio_socket import (
    CLOSE_AFTER_REFUSAL,
    CONNECT_WITHIN,
    Common,
    EngineioSocket,
)
from web.transport.heartbeat import Heartbeat
from web.transport.outbox import framed
from web.transport.websocket_loop import WebSocketLoop

INTERVAL, TIMEOUT = 25, 20
PROBE, PROBED = "2probe", "3probe"


class Stand:
    """A server with one polling client; the work of the threads is done by `turn`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        socket_server = socketio.Server(
            async_mode="threading",
            ping_interval=INTERVAL,
            ping_timeout=TIMEOUT,
            max_http_buffer_size=1000,
            monitor_clients=False,
        )
        self.server = socket_server.eio
        for event in list(self.server.handlers):
            del self.server.handlers[event]  # there is no Socket.IO above it here
        self.received: list[Any] = []
        self.reasons: list[str] = []
        self.server.on("connect", lambda *_: None)
        self.server.on("message", lambda _sid, data: self.received.append(data))
        self.server.on("disconnect", lambda _sid, reason: self.reasons.append(reason))
        monkeypatch.setattr(self.server, "start_background_task", lambda task, *args: task(*args))
        monkeypatch.setattr(engineio.socket, "Socket", engineio.socket.Socket)  # put back after
        self.loop = WebSocketLoop()
        self.heartbeat = Heartbeat(SocketServer(socket_server), self.loop)
        self.faults = ClientFaults()
        self.strangers = ConnectionTable(ConnectionLimits(100, 100, 100))
        common = Common(self.loop, self.faults, self.strangers, 1_000_000, lambda _: None)
        engineio_socket.install(SocketServer(socket_server), common)
        self.ask("GET", "EIO=4&transport=polling")
        (self.transport,) = self.server.sockets.values()
        assert isinstance(self.transport, EngineioSocket)
        self.sockets: list[socket.socket] = []
        monkeypatch.setattr(runtime, "accept_websocket", self.accept)

    def accept(self, *_: object) -> socket.socket:
        """The newest WebSocket is the one that the client speaks on."""
        ours, self.client = socket.socketpair()
        self.sockets += [ours, self.client]
        ours.setblocking(False)
        self.client.setblocking(False)
        self.protocol = Connection(ConnectionType.CLIENT)
        return ours

    def ask(self, method: str, query: str, body: bytes = b"", **headers: str) -> bytes:
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "QUERY_STRING": query,
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
            **headers,
        }
        return b"".join(self.server.handle_request(environ, lambda *_: None))

    def poll(self, method: str = "GET", body: bytes = b"") -> bytes:
        return self.ask(method, f"EIO=4&transport=polling&sid={self.transport.sid}", body)

    def upgrade(self) -> bytes:
        return self.ask(
            "GET",
            f"EIO=4&transport=websocket&sid={self.transport.sid}",
            HTTP_CONNECTION="Upgrade",
            HTTP_UPGRADE="websocket",
        )

    def say(self, *texts: str) -> None:
        for text in texts:
            self.client.sendall(self.protocol.send(TextMessage(text)))
        self.turn()

    def turn(self) -> None:
        if self.loop._selector.select(0):
            self.loop.read_ready()
        while not self.loop._to_send.empty():
            self.loop.send_waiting()

    def got(self) -> list[str]:
        """All that has come over the WebSocket; a close frame is "over"."""
        self.turn()
        texts = []
        try:
            while data := self.client.recv(1 << 16):
                self.protocol.receive_data(data)
        except BlockingIOError:
            pass
        for event in self.protocol.events():
            if isinstance(event, Message):
                texts.append(str(event.data))
            elif isinstance(event, CloseConnection):
                texts.append("over")
        return texts


@pytest.fixture
def stand(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    built = Stand(monkeypatch)
    yield built
    for end in built.sockets:
        end.close()


def test_a_client_goes_from_polling_to_websocket_and_misses_nothing(stand: Stand) -> None:
    assert stand.upgrade() == b""
    stand.say(PROBE)
    assert stand.got() == [PROBED]
    assert stand.poll() == b"6", "the poll must end"
    stand.server.send(stand.transport.sid, "first")
    stand.say("5")
    stand.server.send(stand.transport.sid, "second")
    assert stand.got() == ["6", "4first", "4second"]
    stand.say("4hello")
    assert stand.received == ["hello"]
    assert stand.poll() == b'"Unexpected HTTP request"'


@pytest.mark.parametrize("said", [["5"], ["2other"], [PROBE, "4x"], ["4x"]])
def test_a_probe_that_fails_leaves_the_client_polling(stand: Stand, said: list[str]) -> None:
    stand.upgrade()
    stand.say(*said)
    stand.turn()
    assert stand.got()[-1] == "over"
    assert not stand.transport.upgrading
    assert stand.reasons == []
    stand.server.send(stand.transport.sid, "on")
    assert stand.poll().endswith(b"4on")


def test_a_probe_that_is_given_up_late_harms_no_later_one(stand: Stand) -> None:
    stand.upgrade()
    websocket = stand.transport.websocket
    assert websocket is not None
    stand.say("4no probe")
    stand.upgrade()
    assert stand.transport.upgrading
    stand.transport.received(websocket, [], closed=True)
    assert stand.transport.upgrading
    assert not stand.transport.closed


def test_a_second_websocket_of_one_connection_is_refused(stand: Stand) -> None:
    stand.upgrade()
    assert stand.upgrade() == b'"Bad Request"'
    stand.say(PROBE, "5")
    stand.turn()
    assert stand.upgrade() == b'"Unexpected HTTP request"'


def test_a_probe_that_says_nothing_is_ended(stand: Stand) -> None:
    stand.upgrade()
    assert list(stand.loop._ends) == [stand.transport.websocket]
    stand.say(PROBE)
    stand.say("5")
    assert not stand.loop._ends, "it has become the connection"


def test_a_lost_websocket_is_a_lost_connection(stand: Stand) -> None:
    opened(stand)
    stand.client.close()
    stand.turn()
    assert stand.reasons == ["transport close"]
    assert stand.server.sockets == {}


def test_closing_sends_what_waits_and_then_the_end(stand: Stand) -> None:
    opened(stand)
    stand.server.send(stand.transport.sid, "last")
    stand.transport.close(wait=True, abort=True)
    assert stand.got() == ["4last", "over"]


@pytest.mark.parametrize("text", ["", "x", "9", "4" + "x" * 2000])
def test_what_cannot_be_read_ends_that_connection_only(stand: Stand, text: str) -> None:
    opened(stand)
    stand.say(text)
    assert stand.transport.closed or text == "9"  # an unknown packet is passed over


def test_a_bug_in_a_handler_does_not_leave_a_socket_unread(stand: Stand) -> None:
    opened(stand)

    def broken(*_: object) -> None:
        raise ValueError("a bug")

    stand.server.on("message", broken)
    stand.say("4a")
    stand.server.on("message", lambda _sid, data: stand.received.append(data))
    stand.say("4b")
    assert stand.received == ["b"]


def test_it_is_pinged_when_the_interval_is_over_and_again_after_its_answer(stand: Stand) -> None:
    opened(stand)
    due = stand.transport.ping_at
    stand.heartbeat.beat(due - 1)
    assert stand.got() == []
    stand.heartbeat.beat(due)
    assert stand.got() == ["2"]
    stand.say("3")
    assert stand.transport.last_ping is None
    assert stand.transport.ping_at > due - 1
    assert stand.received == []


def test_a_client_that_does_not_answer_is_closed_after_the_timeout(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(stand)
    stand.transport.mark_authenticated()
    due = stand.transport.ping_at
    stand.heartbeat.beat(due)
    for late, gone in ((TIMEOUT - 1, False), (TIMEOUT + 1, True)):
        monkeypatch.setattr("time.monotonic", lambda late=late: due + late)
        stand.heartbeat.beat(due + late)
        assert stand.transport.closed == gone
    assert stand.reasons == ["ping timeout"]
    stand.heartbeat.beat(due + TIMEOUT + 2)
    assert stand.server.sockets == {}


@pytest.mark.parametrize("jump", [-(10**8), -3600, -61, 61, 3600, 10**8])
def test_a_wall_clock_that_is_set_changes_no_ping(
    jump: int, stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C5: set before, while, and after a ping waits for its answer."""
    opened(stand)
    now = time.time()
    due = stand.transport.ping_at
    monkeypatch.setattr("time.time", lambda: now + jump)
    stand.heartbeat.beat(due - 1)
    assert stand.got() == []
    stand.heartbeat.beat(due)
    assert stand.got() == ["2"]
    monkeypatch.setattr("time.time", lambda: now)
    stand.server.send(stand.transport.sid, "text")
    assert stand.got() == ["4text"]
    stand.say("3")
    assert abs(stand.transport.ping_at - time.monotonic() - stand.server.ping_interval) < 5
    assert not stand.transport.closed


def test_polling_clients_are_pinged_too(stand: Stand) -> None:
    stand.heartbeat.beat(stand.transport.ping_at)
    assert stand.poll() == b"2"
    stand.poll("POST", b"3")
    assert stand.transport.last_ping is None


def test_one_connection_that_fails_does_not_stop_the_heartbeat(
    stand: Stand, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stand.ask("GET", "EIO=4&transport=polling")
    first, second = stand.server.sockets.values()
    monkeypatch.setattr(first, "queue", None)
    stand.heartbeat.beat(second.ping_at)
    assert second.last_ping
    assert "heartbeat.failed" in caplog.text


def test_a_packet_is_framed_once_for_all() -> None:
    packet = Packet(MESSAGE, "x")
    assert framed(packet) is framed(packet)


def test_the_numbers_of_packets_are_those_that_are_compared_as_text() -> None:
    assert (engineio_socket.PONG_OF_CLIENT, PING, PONG, UPGRADE, NOOP) == ("3", 2, 3, 5, 6)


def opened(stand: Stand) -> None:
    """Make the client a WebSocket."""
    stand.upgrade()
    stand.say(PROBE)
    stand.say("5")
    assert stand.got() == [PROBED, "6"]


def test_a_stranger_has_some_seconds_to_connect_and_fewer_after_a_refusal(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = time.monotonic()
    for refused, seconds in ((False, CONNECT_WITHIN), (True, CLOSE_AFTER_REFUSAL)):
        stand.ask("GET", "EIO=4&transport=polling")
        late = list(stand.server.sockets.values())[-1]
        if refused:
            late.mark_refused()
        for later, is_closed in ((-1, False), (1, True)):
            with monkeypatch.context() as patched:
                patched.setattr("time.monotonic", lambda at=began + seconds + later: at)
                stand.heartbeat.beat(0)
            assert late.closed == is_closed
    assert stand.faults.counts["no_connect"] >= 2


def test_who_has_connected_may_stay(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    stand.transport.mark_authenticated()
    late = time.monotonic() + 10 * CONNECT_WITHIN
    monkeypatch.setattr("time.monotonic", lambda: late)
    stand.heartbeat.beat(0)
    assert not stand.transport.closed
    assert stand.strangers.unauthenticated() == 0


def test_a_place_is_free_again_when_a_stranger_leaves(stand: Stand) -> None:
    assert stand.strangers.unauthenticated() == 1
    stand.poll("POST", b"1")
    assert stand.strangers.unauthenticated() == 0
    assert len(stand.strangers) == 0


def test_the_connection_that_most_is_kept_for_ends_when_memory_is_short(stand: Stand) -> None:
    stand.ask("GET", "EIO=4&transport=polling")
    small, large = stand.server.sockets.values()
    stand.server.send(small.sid, "x" * 100)
    stand.server.send(large.sid, "x" * 50_000)
    stand.loop.cut_largest(20_000)
    assert (small.closed, large.closed) == (False, True)
    assert 100 < stand.loop.held < 2_000
