"""A real web process, and clients that do what no client should: others are served on."""

from __future__ import annotations

import json
import os
import random
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from tests.abuse.attacks import frame
from tests.abuse.observe import use_of
from tests.integration.web.test_process import Web, start_web
from tests.support.clients.chat_client import ChatClient
from tests.support.clients.raw_web import HANDSHAKE, RawSocket, RawWeb, upgraded
from tests.support.migrated import migrated
from tests.support.servers.processes import Processes, wait_until
from tests.support.servers.redis_server import RedisServer
from tests.support.web_stand import WebStand

PLACES = 30  # of strangers from one address
UNSENT = 1 << 18  # bytes that may wait for one socket
SETTINGS = {
    "UNAUTHENTICATED_PER_ADDRESS": str(PLACES),
    "SOCKET_UNSENT_MAX_BYTES": str(UNSENT),
    "TOKEN_GUESSES": "100000",
}


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """One process for all tests here."""
    home = tmp_path_factory.mktemp("web")
    database_url = f"sqlite:///{home / 'test.db'}"
    migrated(database_url)
    with ExitStack() as left:
        server = RedisServer()
        left.callback(server.stop)
        processes = Processes(home)
        left.callback(processes.stop_all)
        url, process = start_web(processes, server.url, database_url, home, **SETTINGS)
        stand = WebStand(server.url, database_url)
        left.callback(stand.stop)
        yield Web(url, process, stand, server.url)


@pytest.fixture
def raw(web: Web) -> Iterator[RawWeb]:
    made = RawWeb(web.url)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def others(web: Web) -> Iterator[None]:
    """Somebody else is served before and after, and nothing was logged as our fault."""
    written = len(web.process.log())
    known = ChatClient(web.url)
    assert known.call("resume", {"session_id": "of somebody else"})["ok"]
    yield
    assert known.call("resume", {"session_id": "of somebody else"})["ok"]
    known.close()
    lines = web.process.log()[written:]
    assert "Traceback" not in lines
    assert " ERROR " not in lines
    assert len(lines) < 20_000


# -- A2: nothing waits for a client


@pytest.mark.parametrize(
    "body",
    [
        *["6", "0", "2", "2probe", "9", "1", "5", "", "x", "4", "4x", "d=4x", "\x1e", "6\x1e" * 5],
        *["1\x1e40/chat-run,{}", "\udc00", "5\x1e" * 900, "6" * 70_000, "4" + "x" * 1_100_000],
    ],
)
def test_every_post_is_answered_whatever_it_says(raw: RawWeb, body: str) -> None:
    client = raw.polling()
    began = time.monotonic()
    client.post(body.encode(errors="surrogatepass"))
    assert time.monotonic() - began < 5


def test_a_body_that_is_broken_off_is_no_fault_of_ours(raw: RawWeb) -> None:
    client = raw.polling("token")
    head = client.head("POST", "Content-Length: 100\r\n")
    half = raw.open(head + b'42/chat-run,["resume",{"session_id":"a"}]')
    half.shutdown(socket.SHUT_WR)
    wait_until(lambda: not client.is_there(), what="it is closed, and nothing was believed")


def test_one_get_and_one_post_at_a_time(raw: RawWeb) -> None:
    for method, more in (("GET", ""), ("POST", "Content-Length: 5\r\n")):
        client = raw.polling("token")
        raw.open(client.head(method, more))
        time.sleep(0.3)
        assert raw.ask(client.head(method, more) + b"3" * 5)[0] == 400
        assert not client.is_there()


# -- C4: what is accepted is done, in both directions


@pytest.mark.parametrize("count", [17, 64, 100])
def test_each_packet_of_a_post_is_answered_and_a_poll_has_at_most_16(
    raw: RawWeb, count: int
) -> None:
    client = raw.polling("token")
    asked = [f'42/chat-run,{n}["resume",{{"session_id":"s{n}"}}]' for n in range(count)]
    assert client.post(*asked)[0] == 200
    got: dict[int, str] = {}
    while len(got) < count:
        packets = client.packets()
        assert len(packets) <= 16
        for packet in packets:
            if packet.startswith("43/chat-run,"):
                number, _, result = packet.removeprefix("43/chat-run,").partition("[")
                error = json.loads("[" + result)[0].get("error", {"code": "ok"})
                assert error["code"] == "ok" or error["retry_after"] == 1
                got[int(number)] = error["code"]
    assert set(got) == set(range(count))
    assert set(got.values()) <= {"ok", "too_many_requests"}
    assert list(got.values()).count("ok") >= min(count, 64)


def test_a_post_with_too_many_packets_is_refused_as_a_whole(raw: RawWeb) -> None:
    client = raw.polling("token")
    asked = [f'42/chat-run,{n}["run",{{"input":"a"}}]' for n in range(1001)]
    assert client.post(*asked)[0] == 400
    assert not client.is_there()


# -- A3, A7: what is not read


@pytest.mark.parametrize(
    "piece",
    [
        *[frame(9, b"x" * 125), frame(9, b""), frame(10, b"x"), frame(0x89, b"")],
        *[frame(1, b"2"), frame(1, b"3"), frame(1, b"5"), frame(1, b"6")],
    ],
)
@pytest.mark.parametrize("token", ["", "token"])
def test_a_flood_of_small_frames_is_not_read_faster_than_it_may_come(
    web: Web, raw: RawWeb, piece: bytes, token: str
) -> None:
    client = raw.websocket(token=token)
    before = use_of(web.process.pid)
    flood(client, piece * 5000)
    after = use_of(web.process.pid)
    assert after.megabytes - before.megabytes < 15
    assert after.cpu - before.cpu < 1.2


def flood(client: RawSocket, piece: bytes, seconds: float = 2.0) -> None:
    """Send it again and again for that long, and read nothing."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        client.sock.settimeout(max(0.01, deadline - time.monotonic()))
        try:
            client.sock.sendall(piece)
        except OSError:
            return


@pytest.fixture(scope="module")
def long_session(web: Web) -> str:
    """A session whose `resumed` is about two megabytes."""
    run = web.stand.begin("long", "question")
    web.stand.finish(run, "long", "y" * 2_000_000)
    reader = ChatClient(web.url)  # what building one costs at all is not measured
    for _ in range(3):
        assert reader.call("resume", {"session_id": "long"})["ok"]
    reader.close()
    return "long"


def test_resumes_that_are_not_read_cost_one_at_a_time(
    web: Web, raw: RawWeb, long_session: str
) -> None:
    client = raw.websocket(token="token")
    before = use_of(web.process.pid).megabytes
    for number in range(60):
        client.say(f'42/chat-run,{number}["resume",{{"session_id":"{long_session}"}}]')
    time.sleep(4)
    assert use_of(web.process.pid).megabytes - before < 60


def test_resumes_of_a_client_that_polls_and_fetches_nothing_cost_one_at_a_time(
    web: Web, raw: RawWeb, long_session: str
) -> None:
    client = raw.polling("token")
    before = use_of(web.process.pid).megabytes
    asked = [f'42/chat-run,{n}["resume",{{"session_id":"{long_session}"}}]' for n in range(60)]
    client.post(*asked)
    time.sleep(4)
    assert use_of(web.process.pid).megabytes - before < 60


def test_answers_that_a_polling_client_never_fetches_end_its_connection(raw: RawWeb) -> None:
    client = raw.polling("token")
    asked = [f'42/chat-run,{n}["nonsense"]' for n in range(1000)]
    statuses = [client.post(*asked)[0] for _ in range(4)]
    assert statuses[0] in {200, 400}
    assert not client.is_there()


# -- A4: strangers


def test_the_oldest_silent_websocket_leaves_for_the_next(raw: RawWeb) -> None:
    first = raw.websocket()
    rest = [raw.websocket() for _ in range(PLACES + 2)]
    assert first.is_closed()
    assert not rest[-1].is_closed(within=0.2)


def test_the_oldest_stranger_that_polls_leaves_for_the_next_and_known_ones_stay(
    raw: RawWeb,
) -> None:
    known = raw.polling("token")
    first = raw.polling()
    last = [raw.polling() for _ in range(PLACES + 2)][-1]
    assert not first.is_there()
    assert last.is_there()
    assert known.is_there()


def test_polls_of_strangers_end_with_their_place(raw: RawWeb) -> None:
    waiting = []
    for _ in range(PLACES + 5):
        client = raw.polling()
        waiting.append(raw.open(client.head("GET")))
    assert RawSocket(waiting[0]).is_closed(within=5)


def test_a_websocket_with_a_wrong_token_is_closed_after_its_refusal(raw: RawWeb) -> None:
    client = raw.websocket('40/chat-run,{"token":"wrong"}')
    assert "Authentication failed" in client.read("44/chat-run,")
    assert client.is_closed(within=8)


@pytest.mark.parametrize("kind", [1, 2])
def test_a_stranger_may_say_little_at_once(raw: RawWeb, kind: int) -> None:
    client = raw.websocket()
    begun = bytearray(frame(kind, b"4" + b"x" * 50_000))
    begun[0] &= 0x7F  # more fragments follow
    rest = bytearray(frame(0, b"x" * 50_000))
    rest[0] &= 0x7F
    client.sock.sendall(begun + rest)
    assert client.is_closed(within=5)


def test_fragments_without_end_are_limited_for_all(raw: RawWeb) -> None:
    client = raw.websocket(token="token")
    part = bytearray(frame(0, b"x" * 50_000))
    part[0] &= 0x7F
    begun = bytearray(frame(1, b"4"))
    begun[0] &= 0x7F
    client.sock.sendall(begun)
    flood(client, bytes(part), 3.0)
    assert client.is_closed(within=5)


# -- A5, A8, C23, C26: packets that are none

JUNK = (
    *["4", "42", '42["', "4{", "49", "4x", "42/chat-run,[5]", "42/chat-run,{}", "42/chat-run,[]"],
    *['451-["a",{"_placeholder":true,"num":0}]', "45/chat-run,1-[]", '450-["a"]', "451-"],
    *['459999999999-/chat-run,["a",{"_placeholder":true,"num":0}]', "46/chat-run,1-[]"],
    *["42/chat-run," + "[" * 100_0, '42/chat-run,["a",' + '{"a":' * 500, "4" + "9" * 200, "4²"],
    *["44/chat-run,x", "40/chat-run,{", "40/chat-run,{}x", "40{", "4" + "0/" * 400, "40/\x00,"],
    *["x", "²", "7", "é", "0{}", "-1", "40/chat-run?a=b,[", '42/chat-run,1e9["a"]', "3" * 5000],
    *["b4AAA", "bAAAA"],
)


def test_malformed_packets_leave_a_line_a_second_and_no_traceback(web: Web, raw: RawWeb) -> None:
    written = len(web.process.log())
    rng = random.Random(5)
    for packet in [*JUNK, *(mutated(rng) for _ in range(150))]:
        for token in ("", "token"):
            raw.websocket(packet, token=token).sock.close()
        client = raw.polling()
        client.post(packet)
    assert len(web.process.log()) - written < 20_000
    assert "kind=malformed_packet" in web.process.log()


def mutated(rng: random.Random) -> str:
    text = list(rng.choice(['42/chat-run,1["run",{"input":"a"}]', '40/chat-run,{"token":"t"}']))
    for _ in range(rng.randint(1, 4)):
        text[rng.randrange(len(text))] = rng.choice('{}[]",:0123456789-/\\\x00ü')
    return "".join(text)


@pytest.mark.parametrize("count", ["1", "2", "10000000000", "99999999999999"])
@pytest.mark.parametrize("kind", ["5", "6"])
def test_a_packet_that_announces_attachments_ends_the_connection(
    raw: RawWeb, kind: str, count: str
) -> None:
    said = f'4{kind}{count}-/chat-run,["a",{{"_placeholder":true,"num":0}}]'
    assert raw.websocket(said, token="token").is_closed(within=5)


@pytest.mark.parametrize("namespace", ["", "/", "/chat", "/chat-run/", "/ADMIN", "/" + "a" * 200])
def test_another_namespace_is_refused_by_an_answer(raw: RawWeb, namespace: str) -> None:
    prefix = f"{namespace}," if namespace else ""
    client = raw.websocket(f'40{prefix}{{"token":"token"}}')
    assert "/chat-run" in client.read("44")


def test_a_connection_that_was_closed_by_its_client_takes_nothing_more(raw: RawWeb) -> None:
    for rest in ('40/chat-run,{"token":"token"}', '42/chat-run,["run",{"input":"a"}]', "5", "1"):
        client = raw.websocket("1", rest)
        assert client.is_closed(within=5)


def test_connecting_twice_and_leaving_and_coming_harms_nobody(raw: RawWeb) -> None:
    client = raw.websocket(token="token")
    client.say('40/chat-run,{"token":"token"}')
    client.read("44/chat-run,")
    for _ in range(20):
        client.say("41/chat-run,", '40/chat-run,{"token":"token"}')
        client.read("40/chat-run,")
    client.say('42/chat-run,7["resume",{"session_id":"x"}]')
    assert '"ok":true' in client.read("43/chat-run,7")


def test_probes_without_end_leave_the_client_polling(raw: RawWeb) -> None:
    client = raw.polling("token")
    for said in ("2probe", "2probe2", "5", "4x"):
        sock = raw.open(HANDSHAKE % f"websocket&sid={client.sid}".encode())
        assert upgraded(sock) == b""
        sock.sendall(frame(1, said.encode()) * 3)
        assert RawSocket(sock).is_closed(within=5)
        wait_until(client.is_there, what="it polls on")


# -- A15, C23: HTTP

NEXT = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.parametrize(
    "path", ["/socket.io/?EIO=4&transport=polling", "/socket.io", "/", "/runs", "/nothing"]
)
@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "DELETE", "CONNECT", "BREW"])
def test_other_methods_are_answered_and_keep_the_connection_in_step(
    raw: RawWeb, path: str, method: str
) -> None:
    sock = raw.open(f"{method} {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode() + NEXT)
    got = b""
    while b'"status":"ok"' not in got.replace(b" ", b""):
        data = sock.recv(1 << 16)
        assert data, got
        got += data
    assert got.count(b"HTTP/1.1 ") == 2
    assert not got.startswith(b"HTTP/1.1 5")
    if method == "HEAD":
        assert got.partition(b"\r\n\r\n")[2].startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("headers", ["Upgrade: websocket\r\n", "Connection: Upgrade\r\n", ""])
def test_half_a_websocket_handshake_is_a_bad_request(raw: RawWeb, headers: str) -> None:
    path = "/socket.io/?EIO=4&transport=websocket"
    assert raw.ask(f"GET {path} HTTP/1.1\r\nHost: a\r\n{headers}\r\n".encode())[0] == 400


def test_the_path_without_its_slash_is_served(raw: RawWeb) -> None:
    path = "/socket.io?EIO=4&transport=polling"
    status, body = raw.ask(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    assert (status, body[:1]) == (200, b"0")


def test_a_short_token_is_warned_of(web: Web) -> None:
    assert "auth.short_token characters=5" in web.process.log()


# -- processes with other settings


def test_guesses_of_tokens_are_slowed_and_right_ones_are_not(
    web: Web, processes: Processes, tmp_path: Path
) -> None:
    url, _ = start_web(
        processes,
        web.redis_url,
        web.stand.db.url,
        tmp_path,
        TOKEN_GUESSES="3",
        REQUESTS_PER_SECOND="1",
    )

    def post(token: str) -> requests.Response:
        headers = {"Authorization": f"Bearer {token}"}
        return requests.post(f"{url}/runs", json={"input": "a"}, headers=headers, timeout=20)

    assert [post("wrong").status_code for _ in range(3)] == [401] * 3
    began = time.monotonic()
    late = post("wrong")
    assert late.status_code == 429
    assert 60 <= int(late.headers["Retry-After"]) <= 120  # an address gets one guess back a minute
    assert time.monotonic() - began >= 1
    answers = [post("token") for _ in range(12)]
    assert [a.status_code for a in answers[:10]] == [202] * 10
    assert answers[-1].status_code == 429
    assert answers[-1].json()["error"]["code"] == "too_many_requests"
    assert answers[-1].headers["Retry-After"]


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.nip.example"]
)
def test_without_a_token_only_names_of_this_machine_are_served(
    web: Web, processes: Processes, tmp_path: Path, host: str
) -> None:
    url, _ = start_web(
        processes, web.redis_url, web.stand.db.url, tmp_path, AUTH_TOKEN="", AUTH_DISABLED="1"
    )
    other = RawWeb(url)
    asks = [
        (
            f"POST /runs HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
            'Content-Length: 13\r\n\r\n{"input":"a"}'
        ),
        f"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: {host}\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-Host: localhost\r\n\r\n",
    ]
    assert [other.ask(text.encode())[0] for text in asks] == [400] * 3
    assert other.ask(asks[0].replace(host, "localhost:1", 1).encode())[0] == 202
    other.close()


def test_more_idle_connections_than_files_shut_nobody_out(
    web: Web, processes: Processes, tmp_path: Path
) -> None:
    environment = {"REDIS_URL": web.redis_url, "DATABASE_URL": web.stand.db.url, "PORT": "0"}
    environment |= {"HOLDFAST_HOME": str(tmp_path), "AUTH_TOKEN": "token"}
    process = processes.start_module("web", "web", environment=environment)
    resource_limit(process.pid, 300)
    process.wait_for_log("web.listening")
    url = process.log().partition("url=")[2].split()[0]
    other = RawWeb(url)
    for _ in range(600):
        other.open()
    began = time.monotonic()
    assert requests.get(f"{url}/readyz", timeout=10).json()["status"] == "ok"
    client = ChatClient(url)
    assert client.call("resume", {"session_id": "a"})["ok"]
    assert time.monotonic() - began < 5
    client.close()
    other.close()
    assert len(process.log()) < 20_000
    assert process.returncode is None


BROKEN_SERVER = """
import errno
import web.__main__ as main

listen = main.runtime.listen

def broken(host, port):
    listener = listen(host, port)

    def accept():
        main.time.sleep(1)
        raise OSError(errno.EBADF, "of the test")

    listener.accept = accept
    return listener

main.runtime.listen = broken
raise SystemExit(main.main())
"""


def test_a_process_whose_server_has_ended_ends_so_that_it_is_started_anew(
    web: Web, processes: Processes, tmp_path: Path
) -> None:
    environment = dict(os.environ) | {"REDIS_URL": web.redis_url, "PORT": "0"}
    environment |= {"DATABASE_URL": web.stand.db.url, "AUTH_TOKEN": "token"}
    environment |= {"HOLDFAST_HOME": str(tmp_path)}
    process = processes.start("web", (sys.executable, "-c", BROKEN_SERVER), environment)
    assert process.wait(within=20) == 1
    assert "web.service_ended names=http-server" in process.log()


def resource_limit(pid: int, files: int) -> None:
    import resource

    resource.prlimit(pid, resource.RLIMIT_NOFILE, (files, files))
