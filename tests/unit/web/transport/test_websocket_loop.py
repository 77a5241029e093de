"""WebSockets move bytes in order, wait for no client, and end. Tests make the threads' steps."""

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from wsproto.connection import Connection, ConnectionType
from wsproto.events import CloseConnection, Ping, TextMessage

from tests.support.servers.processes import wait_until
from web.transport.websocket import WebSocket
from web.transport.websocket_frames import CLOSE_FRAME, FRAMES_AT_ONCE, FrameReader
from web.transport.websocket_loop import WebSocketLoop

LIMIT = 1000


@dataclass
class Owner:
    """Records what it received; `done`: more may be read at once."""

    done: bool = True
    messages: list[str | bytes] = field(default_factory=list)
    ends: int = 0

    def received(self, websocket: WebSocket, messages: list[str | bytes], *, closed: bool) -> bool:
        self.messages += messages
        self.ends += closed
        return self.done


class Line:
    """A WebSocket, and the client's end of it; one receive gives what one send sent."""

    def __init__(self) -> None:
        ours, self.client = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        self.client.settimeout(5)
        self.ours = ours
        self.owner = Owner()
        self.loop = WebSocketLoop()
        self.websocket = self.loop.open(ours, self.owner, LIMIT)
        self.websocket.resume()
        self.protocol = Connection(ConnectionType.CLIENT)

    def say(self, *texts: str) -> None:
        self.client.sendall(b"".join(self.protocol.send(TextMessage(text)) for text in texts))

    def turn(self) -> None:
        """What the two threads would do now."""
        if self.loop._selector.select(0):
            self.loop.read_ready()
        while not self.loop._to_send.empty():
            self.loop.send_waiting()

    def close(self) -> None:
        for end in (self.client, self.ours):
            end.close()


@pytest.fixture
def line() -> Iterator[Line]:
    built = Line()
    yield built
    built.close()


def test_what_was_put_meanwhile_leaves_in_order_and_at_once(line: Line) -> None:
    for part in (b"a", b"b", b"c"):
        line.websocket.put(part)
    assert line.websocket.waiting() == 3
    line.loop.send_waiting()
    assert line.client.recv(100) == b"abc"
    assert line.websocket.waiting() == 0


def test_a_client_that_does_not_read_holds_nobody_up_and_misses_nothing(line: Line) -> None:
    sent = 0
    while not line.websocket._blocked:
        line.websocket.put(b"%05d" % sent)
        sent += 1
        line.loop.send_waiting()
    for _ in range(3):
        line.websocket.put(b"%05d" % sent)
        sent += 1
    assert line.websocket.waiting() == 3
    assert line.loop._to_send.empty(), "it would be tried in vain"
    got = b""
    while len(got) < 5 * sent:
        got += line.client.recv(1 << 16)
        line.turn()
    assert got == b"".join(b"%05d" % n for n in range(sent))


def test_the_end_comes_after_what_was_put_before_it(line: Line) -> None:
    line.websocket.put(b"a")
    line.websocket.finish()
    line.websocket.put(b"too late")
    line.loop.send_waiting()
    assert [line.client.recv(100) for _ in range(3)] == [b"a", CLOSE_FRAME, b""]


def test_nothing_is_read_while_the_owner_is_busy(line: Line) -> None:
    line.owner.done = False
    line.say("a")
    line.turn()
    line.say("b")
    assert line.loop._selector.select(0) == []
    line.websocket.resume()
    line.turn()
    assert line.owner.messages == ["a", "b"]


def test_a_client_that_goes_is_told_of_once_and_its_socket_closed(line: Line) -> None:
    line.say("a")
    line.client.close()
    line.turn()
    line.turn()
    assert (line.owner.messages, line.owner.ends) == (["a"], 1)
    assert line.ours.fileno() == -1
    assert line.websocket not in line.loop


def test_after_our_goodbye_the_client_is_not_heard(line: Line) -> None:
    line.websocket.finish()
    line.say("late")
    line.turn()
    assert line.owner.messages == []


def test_a_goodbye_is_answered_and_what_follows_is_not_heard(line: Line) -> None:
    line.client.sendall(line.protocol.send(CloseConnection(1000)))
    line.turn()
    line.protocol.receive_data(line.client.recv(100))
    (event,) = line.protocol.events()
    assert isinstance(event, CloseConnection)
    line.client.sendall(b"more")
    line.turn()
    assert (line.owner.messages, line.owner.ends) == ([], 1)


def test_a_ping_of_the_client_is_answered(line: Line) -> None:
    line.client.sendall(line.protocol.send(Ping(b"x")))
    line.turn()
    assert line.client.recv(100) == b"\x8a\x01x"


def test_a_client_that_does_not_go_after_the_goodbye_is_cut(line: Line) -> None:
    line.websocket.finish()
    line.loop.cut_late(time.monotonic())
    assert line.websocket in line.loop
    line.loop.cut_late(time.monotonic() + 60)
    line.turn()
    assert line.websocket not in line.loop


def test_a_cut_ends_what_waits_for_the_client(line: Line) -> None:
    while not line.websocket._blocked:
        line.websocket.put(b"x" * 1000)
        line.loop.send_waiting()
    line.websocket.cut()
    line.turn()
    assert line.websocket not in line.loop
    assert line.owner.ends == 1


def test_a_bug_costs_one_connection_and_not_the_thread(
    line: Line, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ValueError("a bug")

    with monkeypatch.context() as patched:
        patched.setattr(FrameReader, "feed", broken)
        line.say("a")
        line.turn()
    assert "websocket.failed" in caplog.text
    line.turn()
    assert line.client.recv(1) == b""


def test_its_services_move_bytes_until_they_are_stopped(line: Line) -> None:
    for service in line.loop.services:
        service.start()
    line.websocket.put(b"a")
    assert line.client.recv(100) == b"a"
    line.say("b")
    wait_until(lambda: line.owner.messages == ["b"], what="the message")
    for service in line.loop.services:
        service.stop()
        service.stop()
    names = {thread.name for thread in threading.enumerate()}
    assert not names & {service.name for service in line.loop.services}
    assert all(service.healthy for service in line.loop.services)


def test_services_that_never_started_can_be_stopped(line: Line) -> None:
    for service in line.loop.services:
        service.stop()
        service.start()
        assert service.name not in {thread.name for thread in threading.enumerate()}


def test_a_flood_of_frames_is_read_in_portions_and_its_rest_later(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.monotonic()
    monkeypatch.setattr("time.monotonic", lambda: now)
    texts = [str(number) for number in range(300)]
    line.say(*texts)
    line.turn()
    assert len(line.owner.messages) == FRAMES_AT_ONCE
    line.loop.end_pauses()
    assert len(line.owner.messages) == FRAMES_AT_ONCE, "it has to wait"
    now += 60
    line.loop.end_pauses()
    assert line.owner.messages == texts


def test_a_socket_that_waits_can_be_cut(line: Line) -> None:
    line.say(*"x" * 300)
    line.turn()
    line.websocket.cut()
    line.turn()
    assert line.websocket not in line.loop
    assert (line.owner.ends, line.loop.held) == (1, 0)
    line.loop.end_pauses()


def test_messages_that_are_not_complete_are_counted_with_what_is_not_sent(line: Line) -> None:
    begun = bytearray(line.protocol.send(TextMessage("x" * 500)))
    begun[0] &= 0x7F  # more fragments follow
    line.client.sendall(begun)
    line.turn()
    line.websocket.put(b"y" * 100)
    assert (line.websocket.held, line.loop.held) == (600, 600)
    line.loop.cut_largest(599)
    line.turn()
    assert (line.websocket in line.loop, line.loop.held) == (False, 0)


def test_a_socket_that_is_cut_while_its_owner_works_is_closed_at_once(line: Line) -> None:
    line.owner.done = False
    line.say("a")
    line.turn()
    line.websocket.cut()
    line.turn()
    assert line.ours.fileno() == -1
    assert line.owner.ends == 1
    line.websocket.resume()
    assert line.websocket not in line.loop
