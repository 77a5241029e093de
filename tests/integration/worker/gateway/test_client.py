"""The gateway client against a gateway that misbehaves (R1, R2, FAILURES 9, 29)."""

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from shared.errors import (
    GatewayBusy,
    GatewayError,
    GatewayLostRun,
    GatewayUnreachable,
    PostUncertain,
    StreamBroken,
)
from shared.hermes.profiles import Profile
from tests.support.gateways.demo_gateway import DemoGateway, scripted
from tests.support.gateways.open_clients import close_at_end
from tests.support.servers.processes import wait_until
from worker.gateway.client import GatewayClient
from worker.gateway.stream.event_stream import EventStream

KEY = "a-key-that-is-long-enough"


@pytest.fixture(scope="module")
def demo() -> Iterator[DemoGateway]:
    with DemoGateway.start(key=KEY, max_runs=0, session_delay=0.0) as gateway:
        yield gateway


@pytest.fixture(autouse=True)
def without_faults(demo: DemoGateway) -> None:
    demo.clear_faults()


def client(url: str, *, post_timeout: float = 5.0, max_event: int = 2**20) -> GatewayClient:
    made = GatewayClient(
        Profile("default", url, KEY),
        connections=4,
        connect_timeout=1.0,
        post_timeout=post_timeout,
        max_event=max_event,
    )
    return close_at_end(made)


def heard(stream: EventStream, into: list[dict[str, Any]] | None = None) -> list[dict[str, Any]]:
    """All its events. Raises StreamBroken; what came before is in `into`."""
    seen: list[dict[str, Any]] = [] if into is None else into

    def take(events: list[dict[str, Any]]) -> bool:
        seen.extend(events)
        return False

    stream.follow(take)
    return seen


def start(gateway: GatewayClient, **script: object) -> str:
    return gateway.post_run("run_ours", {"input": scripted(**script), "session_id": "eph_test"})


def test_a_run_from_start_to_end(demo: DemoGateway) -> None:
    gateway = client(demo.url)
    run_id = start(gateway, tokens=5)
    events = heard(gateway.events(run_id))
    assert [e["event"] for e in events] == ["message.delta"] * 5 + ["run.completed"]
    status = gateway.status(run_id)
    assert status is not None
    assert (status.terminal, status.output) == (True, "t1 t2 t3 t4 t5 ")


def test_a_gateway_that_nobody_listens_for_never_had_the_run() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    with pytest.raises(GatewayUnreachable):
        start(client(url))


@pytest.mark.parametrize("status", [429, 503])
def test_a_gateway_without_capacity_never_had_the_run(demo: DemoGateway, status: int) -> None:
    demo.faults(post_status=status, retry_after=7, count=1)
    with pytest.raises(GatewayBusy) as refused:
        start(client(demo.url))
    assert refused.value.retry_after == 7


@pytest.mark.parametrize("status", [500, 502, 504])
def test_after_a_server_error_nobody_knows(demo: DemoGateway, status: int) -> None:
    demo.faults(post_status=status, count=1)
    with pytest.raises(PostUncertain):
        start(client(demo.url))


def test_after_a_timeout_or_a_reset_nobody_knows(demo: DemoGateway) -> None:
    demo.faults(post_hang_seconds=3, count=1)
    with pytest.raises(PostUncertain):
        start(client(demo.url, post_timeout=0.3))
    demo.faults(post_reset=True, accepted=True, count=1)
    with pytest.raises(PostUncertain):
        start(client(demo.url))


def test_a_request_that_is_refused_for_good_is_an_error_and_not_uncertain(
    demo: DemoGateway,
) -> None:
    with pytest.raises(GatewayError) as refused:
        client(demo.url).post_run("run_ours", {"input": ""})
    assert not isinstance(refused.value, PostUncertain | GatewayUnreachable)


def test_a_wrong_key_is_an_error(demo: DemoGateway) -> None:
    gateway = GatewayClient(
        Profile("default", demo.url, "wrong"),
        connections=1,
        connect_timeout=1,
        post_timeout=5,
        max_event=1000,
    )
    with pytest.raises(GatewayError, match="401"):
        start(gateway)


def test_an_unknown_run_has_no_status_no_stop_and_no_stream(demo: DemoGateway) -> None:
    gateway = client(demo.url)
    assert gateway.status("run_nope") is None
    assert gateway.stop_run("run_nope") is False
    with pytest.raises(GatewayLostRun):
        gateway.events("run_nope")


def test_a_stream_that_is_cut_has_no_terminal_event(demo: DemoGateway) -> None:
    gateway = client(demo.url)
    stream = gateway.events(start(gateway, tokens=50, rate=100, cut=10))
    seen: list[dict[str, Any]] = []
    with pytest.raises(StreamBroken):
        heard(stream, seen)
    assert {event["event"] for event in seen} == {"message.delta"}


def test_another_thread_can_end_the_reading(demo: DemoGateway) -> None:
    gateway = client(demo.url)
    stream = gateway.events(start(gateway, tokens=5, rate=100, end="hang"))
    seen: list[dict[str, Any]] = []
    broken = threading.Event()

    def read() -> None:
        try:
            heard(stream, seen)
        except StreamBroken:
            broken.set()

    reader = threading.Thread(target=read)
    reader.start()
    wait_until(lambda: len(seen) == 5 or reader.is_alive())
    began = time.monotonic()
    stream.cut()
    reader.join(5)
    assert broken.is_set()
    assert time.monotonic() - began < 2


def test_an_event_without_end_breaks_the_stream_and_not_the_memory(demo: DemoGateway) -> None:
    gateway = client(demo.url, max_event=100_000)
    stream = gateway.events(start(gateway, tokens=1, event_bytes=1_000_000))
    with pytest.raises(StreamBroken):
        heard(stream)


def test_junk_between_events_is_skipped(demo: DemoGateway) -> None:
    gateway = client(demo.url)
    kinds = ["broken_json", "not_an_object", "no_field"]
    junk = [{"after": n + 1, "kind": kind} for n, kind in enumerate(kinds)]
    events = heard(gateway.events(start(gateway, tokens=5, junk=junk)))
    assert [e["delta"] for e in events if e["event"] == "message.delta"] == [
        "t1 ", "t2 ", "t3 ", "t4 ", "t5 ",
    ]  # fmt: skip


def test_sessions_are_read_and_deleted(demo: DemoGateway) -> None:
    gateway = client(demo.url)
    tools = [{"after": 1, "name": "ls", "output": "a b"}]
    run_id = gateway.post_run(
        "run_ours", {"input": scripted(tokens=2, tools=tools), "session_id": "eph_read"}
    )
    heard(gateway.events(run_id))
    transcript = gateway.transcript("eph_read")
    assert transcript is not None
    assert transcript.session_id == "eph_read"
    assert [m["content"] for m in transcript.messages if m["role"] == "tool"] == ["a b"]
    assert gateway.session("eph_read") is not None
    assert gateway.delete_session("eph_read") is True
    assert gateway.delete_session("eph_read") is False
    assert gateway.transcript("eph_read") is None


def test_a_hermes_is_recognized_and_tells_its_process(demo: DemoGateway) -> None:
    gateway = client(demo.url)
    assert gateway.is_hermes()
    assert gateway.pid() == demo.pid


class RawServer:
    """Answers one request with the bytes that it was given, then closes."""

    def __init__(self, body: bytes) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, args=(body,))
        self._thread.start()

    def _serve(self, body: bytes) -> None:
        connection, _ = self._listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + body)
        self._listener.close()

    def join(self) -> None:
        self._thread.join(5)


@pytest.mark.parametrize(
    "body",
    [
        b'\xef\xbb\xbfdata: {"n": 1}\n\ndata: {"n": 2}\n\n',
        b'data: {"n": 1}\r\n\r\n: comment\r\n\r\ndata: {"n": 2}\r\n\r\n',
        b'data: {"n":\ndata: 1}\n\nid: 7\nevent: x\ndata: {"n": 2}\n\n',
        b'data: {"n": 1}\n\ndata: {"n": 2}\n\ndata: {"n": 3',
    ],
    ids=["byte order mark", "CRLF and comments", "several data lines", "cut inside an event"],
)
def test_a_stream_is_read_whatever_its_line_ends_and_marks(body: bytes) -> None:
    server = RawServer(body)
    events = heard(client(server.url).events("run_x"))
    server.join()
    assert events == [{"n": 1}, {"n": 2}]
