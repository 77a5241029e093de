"""The short way onto a socket gives the client what python-socketio's own emit gives."""

from typing import Any

import pytest
import socketio
from engineio.payload import Payload

from shared.protocol.events import NAMESPACE, encode
from web.sockets import json_codec
from web.sockets.connections import Connection, Connections
from web.sockets.emitter import Emitter
from web.sockets.engineio_internals import EngineioConnection, SocketServer
from web.sockets.reconnect_backoff import ReconnectBackoff
from web.sockets.slow_clients import SlowClients
from web.transport.outbox import framed


class Stand:
    """A real server with a transport that nobody reads."""

    def __init__(self, queue_max: int = 5) -> None:
        self.server = socketio.Server(async_mode="threading", json=json_codec)
        self.server.manager_initialized = True
        self.server.manager.initialize()
        self.transport = EngineioConnection(self.server.eio, "t")
        self.server.eio.sockets["t"] = self.transport
        self.sid: str = self.server.manager.connect("t", NAMESPACE)
        self.connections = Connections()
        self.backoff = ReconnectBackoff()
        self.connections.add(Connection(self.sid, "t", "default", "default", False))
        server = SocketServer(self.server)
        slow_clients = SlowClients(server, queue_max, 1000, self.backoff)
        self.emitter = Emitter(server, self.connections, slow_clients)

    def queued(self) -> list[Any]:
        packets = []
        while not self.transport.queue.empty():
            packets.append(self.transport.queue.get())
        return packets


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"delta": "héllo \u2028 \U0001f600 \x01\"'\\"},
        {"n": [1, 2.5, None, True], "deep": {"a": {"b": []}}},
    ],
)
def test_a_delivered_entry_is_the_packet_of_a_normal_emit(payload: dict[str, Any]) -> None:
    stand = Stand()
    stand.server.emit("message.delta", payload, to=stand.sid, namespace=NAMESPACE)
    stand.emitter.deliver([stand.sid], encode("message.delta", payload))
    normal, ours = stand.queued()
    assert isinstance(ours, type(normal))
    assert (ours.packet_type, ours.encode()) == (normal.packet_type, normal.encode())
    assert (ours.data, ours.binary) == (normal.data, normal.binary)
    assert framed(ours) == framed(normal)
    assert Payload(packets=[ours]).encode() == Payload(packets=[normal]).encode()


def test_one_packet_serves_all_sockets() -> None:
    stand = Stand()
    stand.emitter.deliver([stand.sid, stand.sid], encode("a", {}))
    first, second = stand.queued()
    assert first is second


def test_unknown_and_closed_sockets_are_passed_over() -> None:
    stand = Stand()
    stand.transport.closed = True
    stand.emitter.deliver([stand.sid, "nobody"], encode("a", {}))
    assert stand.queued() == []
