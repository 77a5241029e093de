"""A socket whose client reads too slowly is closed, and counted for its sessions (R31)."""

from shared.protocol.events import encode
from tests.unit.web.sockets.test_emitter import Stand


def test_a_full_queue_closes_the_transport_and_is_counted() -> None:
    stand = Stand(queue_max=3)
    connection = stand.connections.get(stand.sid)
    assert connection is not None
    connection.feeds.add("tag")
    for _ in range(5):
        stand.emitter.deliver([stand.sid], encode("a", {}))
    assert connection.closed
    assert len(stand.queued()) in {3, 4}, "what was queued, and the end of the queue"
    assert stand.backoff.pause("tag") > 0.0


def test_a_socket_that_is_closed_for_its_full_queue_counts_for_its_sessions() -> None:
    stand = Stand(queue_max=3)
    connection = stand.connections.get(stand.sid)
    assert connection is not None
    connection.feeds.add("tag")
    for _ in range(3):
        stand.emitter.deliver([stand.sid], encode("a", {}))
    assert stand.backoff.pause("tag") == 0.0
    stand.emitter.deliver([stand.sid], encode("a", {}))
    assert stand.backoff.pause("tag") > 0.0


def test_one_large_packet_does_not_fill_a_queue() -> None:
    stand = Stand(queue_max=3)
    stand.emitter.deliver([stand.sid], encode("resumed", {"messages": ["x" * 2_000_000]}))
    stand.emitter.deliver([stand.sid], encode("a", {}))
    connection = stand.connections.get(stand.sid)
    assert connection is not None
    assert not connection.closed
