"""A stream is followed to its end however the gateway sends it, in green processes and others."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import trustme

from shared.errors import GatewayLostRun, StreamBroken
from shared.hermes.profiles import Profile
from shared.net.tls import tls_context
from tests.support.gateways.open_clients import close_at_end
from tests.support.servers.processes import wait_until
from worker.gateway.client import GatewayClient
from worker.gateway.stream.event_stream import EventStream

Event = dict[str, Any]
EVENTS = [{"n": number, "text": "é" * 50} for number in range(300)]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"


def frame(event: Event) -> bytes:
    return b"data: " + json.dumps(event, ensure_ascii=False).encode() + b"\n\n"


def chunked(event: Event) -> bytes:
    data = frame(event)
    return b"%x\r\n" % len(data) + data + b"\r\n"


BODY = b"".join(map(frame, EVENTS))
CHUNKS = b"".join(map(chunked, EVENTS))
ANSWERS = {
    "chunked": HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKS + b"0\r\n\r\n",
    "chunked, closed": HEAD
    + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    + CHUNKS
    + b"0\r\n\r\n",
    "closed": HEAD + b"Connection: close\r\n\r\n" + BODY,
    "of a length": HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY,
}


class Server:
    """Answers requests, each on a connection of its own, with what `say` sends."""

    def __init__(
        self,
        say: Callable[[socket.socket], None],
        tls: ssl.SSLContext | None = None,
        seen: list[bytes] | None = None,
    ) -> None:
        """`seen` gets the head of each request."""
        self._say = say
        self._tls = tls
        self._seen = [] if seen is None else seen
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http{'s' * bool(tls)}://localhost:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):  # it was closed
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with suppress(OSError):
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection:
                self._seen.append(connection.recv(65536))
                self._say(connection)

    def stop(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@contextmanager
def serving(
    say: Callable[[socket.socket], None],
    tls: ssl.SSLContext | None = None,
    seen: list[bytes] | None = None,
) -> Iterator[str]:
    server = Server(say, tls, seen)
    yield server.url
    server.stop()


def in_pieces(data: bytes, size: int) -> Callable[[socket.socket], None]:
    def say(connection: socket.socket) -> None:
        for at in range(0, len(data), size):
            connection.sendall(data[at : at + size])
            if at < 5 * size:
                time.sleep(0.01)  # so that reads of the head and of the body differ

    return say


def client(url: str, authority: str = "", gather: float = 0.01, key: str = "") -> GatewayClient:
    made = GatewayClient(
        Profile("test", url, key),
        connections=2,
        connect_timeout=2.0,
        post_timeout=2.0,
        max_event=2**20,
        gather=gather,
    )
    if authority:
        made._http.verify = authority
    return close_at_end(made)


def enough(_: list[Event]) -> bool:
    return True


def received(url: str, authority: str = "") -> list[Event]:
    """All events of a stream. Raises StreamBroken."""
    seen: list[Event] = []

    def consume(events: list[Event]) -> bool:
        seen.extend(events)
        return False

    with closing(client(url, authority)) as gateway:
        gateway.events("run_x").follow(consume)
    return seen


GREEN = """
from shared import runtime
runtime.patch()
import json, sys
from tests.integration.worker.gateway.stream.test_event_stream import received
print(json.dumps(received(*sys.argv[1:])))
"""


def received_green(url: str, authority: str = "") -> list[Event]:
    done = subprocess.run(
        [sys.executable, "-c", GREEN, url, authority],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: list[Event] = json.loads(done.stdout)
    return found


BOTH = pytest.mark.parametrize("read", [received, received_green], ids=["threads", "green"])


@BOTH
@pytest.mark.parametrize("size", [37, 4_000, 1_000_000])
@pytest.mark.parametrize("answer", ANSWERS)
def test_every_event_is_received_once_and_in_order(
    read: Callable[..., list[Event]], answer: str, size: int
) -> None:
    with serving(in_pieces(ANSWERS[answer], size)) as url:
        assert read(url) == EVENTS


@pytest.fixture
def tls(tmp_path: Path) -> tuple[ssl.SSLContext, str]:
    """A server's context, and the file of the authority that it is trusted by."""
    authority, file = trustme.CA(), tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context, str(file)


@BOTH
@pytest.mark.parametrize("size", [4_000, 1_000_000])
def test_the_same_over_tls(
    read: Callable[..., list[Event]], tls: tuple[ssl.SSLContext, str], size: int
) -> None:
    context, authority = tls
    with serving(in_pieces(ANSWERS["chunked"], size), context) as url:
        assert read(url, authority) == EVENTS


def test_what_came_with_the_head_in_one_tls_record_is_received_at_once(
    tls: tuple[ssl.SSLContext, str],
) -> None:
    context, authority = tls

    def say(connection: socket.socket) -> None:
        connection.sendall(HEAD + b"Connection: close\r\n\r\n" + BODY[:15_000])
        connection.recv(1)

    with serving(say, context) as url:
        seen: list[Event] = []

        def consume(events: list[Event]) -> bool:
            seen.extend(events)
            return True

        client(url, authority).events("run_x").follow(consume)
    assert len(seen) == BODY[:15_000].count(b"\n\n")


@pytest.mark.parametrize("answer", ["chunked", "of a length"])
def test_a_connection_that_ends_too_early_breaks_the_stream(answer: str) -> None:
    with serving(in_pieces(ANSWERS[answer][:-20], 4_000)) as url, pytest.raises(StreamBroken):
        received(url)


def test_what_came_before_a_fault_in_the_framing_is_received() -> None:
    seen: list[Event] = []

    def consume(events: list[Event]) -> bool:
        seen.extend(events)
        return False

    head = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    whole = b"%x\r\n" % len(BODY) + BODY + b"\r\n"
    with serving(in_pieces(head + whole + b"no chunk\r\n", 10**7)) as url:
        stream = client(url).events("run_x")
        with pytest.raises(StreamBroken):
            stream.follow(consume)
    assert len(seen) == BODY.count(b"\n\n")


def test_an_authority_that_is_not_trusted_breaks_the_stream(
    tls: tuple[ssl.SSLContext, str],
) -> None:
    context, _ = tls
    with (
        serving(in_pieces(ANSWERS["chunked"], 4_000), context) as url,
        pytest.raises(StreamBroken, match="SSLCertVerificationError"),
    ):
        client(url).events("run_x")


def test_certificates_are_not_checked_when_the_session_says_so(
    tls: tuple[ssl.SSLContext, str],
) -> None:
    context, _ = tls
    with serving(in_pieces(ANSWERS["chunked"], 4_000), context) as url:
        gateway = client(url)
        gateway._http.verify = False
        gateway.events("run_x").follow(enough)


def test_authorities_may_be_a_directory_and_must_be_readable(tmp_path: Path) -> None:
    assert tls_context(str(tmp_path)).verify_mode == ssl.CERT_REQUIRED
    with pytest.raises(StreamBroken, match="FileNotFoundError"):
        client("https://localhost:1", str(tmp_path / "nowhere.pem")).events("run_x")


def test_a_redirect_is_not_followed() -> None:
    requests_seen: list[int] = []

    def elsewhere(connection: socket.socket) -> None:
        requests_seen.append(1)
        connection.sendall(ANSWERS["of a length"])

    with serving(elsewhere) as other:
        head = f"HTTP/1.1 302 Found\r\nLocation: {other}/\r\nContent-Length: 0\r\n\r\n"
        with (
            serving(in_pieces(head.encode(), 4_000)) as url,
            pytest.raises(StreamBroken, match="HTTP 302"),
        ):
            client(url).events("run_x")
    assert requests_seen == []


def test_a_run_that_the_gateway_does_not_know_is_lost() -> None:
    head = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    with serving(in_pieces(head, 4_000)) as url, pytest.raises(GatewayLostRun):
        client(url).events("run_x")


@pytest.mark.parametrize("head", [b"", b"SSH-2.0-OpenSSH_9.6\r\n"], ids=["nothing", "not HTTP"])
def test_an_answer_that_is_none_breaks_the_stream(head: bytes) -> None:
    with serving(lambda connection: connection.sendall(head)) as url, pytest.raises(StreamBroken):
        client(url).events("run_x")


def quiet(connection: socket.socket) -> None:
    connection.recv(1)


def test_a_head_that_does_not_come_breaks_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.gateway.client.SILENCE", 0.2)
    with (
        serving(quiet) as url,
        pytest.raises(StreamBroken, match="TimeoutError"),
    ):
        client(url).events("run_x")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://localhost:many", "https://"])
def test_an_address_that_does_not_answer_breaks_the_stream(url: str) -> None:
    with pytest.raises(StreamBroken):
        client(url).events("run_x")


def test_the_request_names_the_run_and_the_key_and_goes_through_no_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    seen: list[bytes] = []

    def say(connection: socket.socket) -> None:
        connection.sendall(ANSWERS["of a length"])

    with serving(say, seen=seen) as url:
        gateway = client(f"{url}/hermes", key="secret")
        gateway.events("run/x").follow(enough)
    head = seen[0].decode()
    assert head.startswith("GET /hermes/v1/runs/run%2Fx/events HTTP/1.1\r\n")
    for line in ("Authorization: Bearer secret", "Accept: text/event-stream", "Host: localhost:"):
        assert f"\r\n{line}" in head
    assert head.count("Accept-Encoding: identity") == 1


def test_a_compressed_stream_is_refused() -> None:
    head = HEAD + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
    with serving(in_pieces(head, 4_000)) as url, pytest.raises(StreamBroken):
        client(url).events("run_x")


def silent(connection: socket.socket) -> None:
    """One event, and nothing more until the client is gone."""
    connection.sendall(HEAD + b"Connection: close\r\n\r\n" + frame({"n": 1}))
    connection.recv(1)


def test_a_consumer_that_has_enough_ends_the_stream_that_the_gateway_holds_open() -> None:
    taken: list[list[Event]] = []

    def consume(events: list[Event]) -> bool:
        taken.append(events)
        return True

    with serving(silent) as url:
        client(url).events("run_x").follow(consume)
    assert taken == [[{"n": 1}]]


def test_an_error_of_the_consumer_is_raised_by_follow_and_ends_the_stream() -> None:
    def consume(_: list[Event]) -> bool:
        raise KeyError("of the consumer")

    with serving(silent) as url, pytest.raises(KeyError):
        client(url).events("run_x").follow(consume)


def test_the_events_of_a_busy_stream_gather_between_two_reads() -> None:
    def say(connection: socket.socket) -> None:
        connection.sendall(HEAD + b"Connection: close\r\n\r\n")
        for number in range(100):
            connection.sendall(frame({"n": number}))
            time.sleep(0.002)

    reads: list[int] = []

    def consume(events: list[Event]) -> bool:
        reads.append(len(events))
        return False

    with serving(say) as url:
        client(url, gather=0.05).events("run_x").follow(consume)
    assert sum(reads) == 100
    assert len(reads) < 40


def follow_in_thread(stream: EventStream, counts: list[int], number: int) -> threading.Thread:
    """Follow the stream; `counts[number]` is the number of its events, also when it breaks."""

    def consume(events: list[Event]) -> bool:
        counts[number] += len(events)
        return False

    def follow() -> None:
        with suppress(StreamBroken):
            stream.follow(consume)

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    return thread


def reader_threads() -> int:
    return [thread.name for thread in threading.enumerate()].count("stream_reader")


def test_one_thread_reads_all_streams_until_the_client_is_closed() -> None:
    before = reader_threads()
    with serving(silent) as url:
        gateway, counts = client(url), [0] * 10
        streams = [gateway.events(f"run_{number}") for number in range(10)]
        threads = [follow_in_thread(s, counts, n) for n, s in enumerate(streams)]
        wait_until(lambda: counts == [1] * 10, what="an event of each")
        assert reader_threads() == before + 1
        streams[3].cut()
        wait_until(lambda: not threads[3].is_alive(), what="the end of the one that is cut")
        assert [thread.is_alive() for thread in threads].count(True) == 9
        gateway.close()
        gateway.close()
        assert reader_threads() == before
        wait_until(lambda: not any(t.is_alive() for t in threads), what="the end of all")
        assert counts == [1] * 10


def test_a_closed_client_breaks_streams_instead_of_leaving_them_unread() -> None:
    with serving(silent) as url:
        unused, gateway = client(url), client(url)
        unused.close()
        stream = gateway.events("run_x")
        gateway.close()
        with pytest.raises(StreamBroken, match="stopped"):
            stream.follow(lambda _: False)
