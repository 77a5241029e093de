"""A real web process, a real Socket.IO client: what is let in, what is answered, what is closed."""

import json
import re
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import socketio
import websocket

from shared.db.sessions.read import SHOWN
from shared.protocol.events import NAMESPACE
from tests.support.clients.chat_client import ChatClient
from tests.support.migrated import migrated
from tests.support.rows import run_row
from tests.support.servers.processes import (
    Processes,
    RunningProcess,
    wait_for_http,
    wait_until,
)
from tests.support.servers.redis_server import RedisServer
from tests.support.web_stand import LiveRun, WebStand, address

Raw = Callable[[], websocket.WebSocket]


@dataclass
class Web:
    url: str
    process: RunningProcess
    stand: WebStand
    redis_url: str


def start_web(
    processes: Processes,
    redis_url: str,
    database_url: str,
    home: Path,
    *,
    name: str = "web",
    **environ: str,
) -> tuple[str, RunningProcess]:
    environment = {
        "REDIS_URL": redis_url,
        "DATABASE_URL": database_url,
        "HOLDFAST_HOME": str(home),
        "AUTH_TOKEN": "token",
        "PORT": "0",
        **environ,
    }
    process = processes.start_module(name, "web", environment=environment)
    process.wait_for_log("web.listening")
    found = re.search(r"web\.listening url=(\S+)", process.log())
    assert found is not None
    return found[1], process


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """One process for all tests that do not stop it, each with a session of its own."""
    home = tmp_path_factory.mktemp("web")
    database_url = f"sqlite:///{home / 'test.db'}"
    migrated(database_url)
    with ExitStack() as left:
        server = RedisServer()
        left.callback(server.stop)
        processes = Processes(home)
        left.callback(processes.stop_all)
        url, process = start_web(processes, server.url, database_url, home, SOCKET_QUEUE_MAX="200")
        stand = WebStand(server.url, database_url)
        left.callback(stand.stop)
        yield Web(url, process, stand, server.url)


@pytest.fixture
def session() -> str:
    """The id of a session that no other test has."""
    return f"session-{uuid.uuid4().hex}"


@pytest.fixture
def client(web: Web) -> Iterator[ChatClient]:
    client = ChatClient(web.url)
    yield client
    client.close()


@pytest.mark.parametrize(
    "auth",
    [None, {}, {"token": None}, {"token": "wrong"}, {"token": 5}, {"token": ["token"]}, ["token"]],
)
def test_without_the_token_nobody_gets_in(web: Web, auth: Any) -> None:
    reasons: list[Any] = []
    client = socketio.Client(reconnection=False)
    client.on("connect_error", reasons.append, namespace=NAMESPACE)
    with pytest.raises(socketio.exceptions.ConnectionError):
        client.connect(web.url, namespaces=[NAMESPACE], auth=auth, transports=["websocket"])
    client.shutdown()
    assert reasons == [{"message": "Authentication failed"}]


@pytest.mark.parametrize(
    ("event", "sent", "code"),
    [
        ("run", [], "invalid_payload"),
        ("run", ["text"], "invalid_payload"),
        ("run", [{"input": "a"}, {"input": "b"}], "invalid_payload"),
        ("run", [{}], "invalid_payload"),
        ("run", [{"input": ""}], "invalid_payload"),
        ("run", [{"input": 5}], "invalid_payload"),
        ("run", [{"input": "a", "session_id": "s" * 10_000}], "invalid_payload"),
        ("run", [{"input": "a", "session_id": "a\x07b"}], "invalid_payload"),
        ("resume", [{}], "invalid_payload"),
        ("resume", [{"session_id": 5}], "invalid_payload"),
        ("abort", [{"session_id": "nothing there"}], "not_found"),
        ("queue.cancel", [{"session_id": "s", "run_id": "r"}], "not_found"),
        ("nonsense", [{}], "unknown_event"),
    ],
)
def test_bad_input_is_answered_and_harms_nothing(
    client: ChatClient, event: str, sent: list[Any], code: str
) -> None:
    answer = client.call(event, *sent)
    assert (answer["ok"], answer["error"]["code"]) == (False, code)
    assert answer["error"]["message"]
    assert client.call("resume", {"session_id": "fine"})["ok"]
    assert client.named("error", "run.failed") == []


def test_a_refused_run_without_acknowledgement_fails_like_a_run(
    client: ChatClient, session: str
) -> None:
    client.emit("run", {"input": "", "session_id": session})
    failed = client.wait_for("run.failed")[0]
    assert (failed["session_id"], failed["reason"]) == (session, "invalid_payload")
    assert isinstance(failed["error"], str)


def test_other_refusals_without_acknowledgement_are_an_error_event(client: ChatClient) -> None:
    client.emit("resume", {})
    assert client.wait_for("error")[0]["code"] == "invalid_payload"


def test_an_existing_clients_abort_of_nothing_is_not_disturbed(
    client: ChatClient, session: str
) -> None:
    client.emit("abort", {"session_id": session})
    client.call("resume", {"session_id": session})
    assert [name for name, _ in client.received] == ["resumed"]


def test_an_unknown_profile_fails_at_run(web: Web, session: str) -> None:
    client = ChatClient(web.url, query="?profile=nonsense")
    answer = client.call("run", {"input": "a", "session_id": session})
    assert answer["error"]["code"] == "unknown_profile"
    client.close()


def test_an_input_of_900_kilobytes_is_taken_without_stopping_others(
    web: Web, client: ChatClient
) -> None:
    text = "y " * 450_000
    run_id = client.call("run", {"input": text, "session_id": "big"})["run_id"]
    assert run_row(web.stand.db, run_id).input == text
    (waiting,) = web.stand.sessions.conversation(address("big")).queue
    assert waiting["run_id"] == run_id
    assert waiting["input"] == text[:SHOWN]


def test_texts_that_no_database_takes_are_mended(client: ChatClient, web: Web, raw: Raw) -> None:
    connection = raw()
    connection.send('42/chat-run,7["run",{"input":"a\\u0000b\\ud800c","session_id":"odd"}]')
    answer = json.loads(received(connection, "43/chat-run,7"))[0]
    assert answer["ok"]
    client.call("resume", {"session_id": "odd"})
    assert client.named("resumed")[0]["queue"][0]["input"] == "a\ufffdb\ufffdc"


def test_a_frame_over_the_limit_closes_that_connection_only(
    web: Web, client: ChatClient, session: str, raw: Raw
) -> None:
    connection = raw()
    connection.send('42/chat-run,["run",{"input":"' + "x" * 1_100_000 + '"}]')
    assert_closed(connection)
    assert client.call("resume", {"session_id": session})["ok"]


def test_a_message_in_fragments_is_read_and_limited_as_a_whole(
    web: Web, client: ChatClient, session: str, raw: Raw
) -> None:
    connection = raw()
    text = '42/chat-run,7["run",{"input":"' + "x" * 600_000 + '"}]'
    send_fragments(connection, text)
    assert json.loads(received(connection, "43/chat-run,7"))[0]["ok"]
    send_fragments(connection, "4" + "x" * 1_500_000)
    assert_closed(connection)
    assert client.call("resume", {"session_id": session})["ok"]


@pytest.mark.parametrize(
    "frame",
    ["42/chat-run,{}", "42/chat-run,", "42/chat-run,[", "4", "49", "42/chat-run,[5,{}]", "x"],
)
def test_malformed_packets_harm_nobody_else(
    web: Web, client: ChatClient, frame: str, session: str, raw: Raw
) -> None:
    connection = raw()
    connection.send(frame)
    assert client.call("resume", {"session_id": session})["ok"]


def test_eight_parallel_resumes_on_one_socket_double_nothing(
    web: Web, client: ChatClient, session: str
) -> None:
    run = web.stand.begin(session, "question")

    def talk() -> None:
        for i in range(200):
            run.say(f"{i} ")

    talking = threading.Thread(target=talk)
    talking.start()
    for _ in range(8):
        client.emit("resume", {"session_id": session})
    client.wait_for("resumed", 8)
    talking.join()
    whole = "".join(f"{i} " for i in range(200))
    wait_until(lambda: shown(client) == whole, what="the whole text")
    assert len(client.named("resumed")) == 8


def test_a_second_web_process_serves_the_same_session(
    web: Web, client: ChatClient, processes: Processes, tmp_path: Path, session: str
) -> None:
    url, _ = start_web(processes, web.redis_url, web.stand.db.url, tmp_path)
    other = ChatClient(url)
    client.call("resume", {"session_id": session})
    other.call("resume", {"session_id": session})
    run = web.stand.begin(session)
    run.say("a", "b")
    other.wait_for("message.delta", 2)
    client.wait_for("message.delta", 2)
    answer = other.call("run", {"input": "next", "session_id": session})
    queued = client.wait_for("run.queued")[0]
    assert (queued["run_id"], queued["queue_length"]) == (answer["run_id"], 1)
    assert client.wait_for("queue.updated")[0]["queue"][0]["input"] == "next"
    other.close()


def test_the_aborting_socket_hears_nothing_more_unless_it_speaks_protocol_2(
    web: Web, session: str
) -> None:
    old, new = ChatClient(web.url), ChatClient(web.url, auth={"token": "token", "protocol": "2"})
    run = web.stand.begin(session)
    for client in (old, new):
        client.call("resume", {"session_id": session})
    assert old.call("abort", {"session_id": session})["run_id"] == run.keys.run_id
    run.say("late")
    run.end()
    new.wait_for("run.completed")
    old.call("resume", {"session_id": "other"})
    assert old.named("message.delta", "run.completed") == []
    for client in (old, new):
        client.close()


def test_a_cancelled_message_leaves_the_queue_of_all_tabs(
    web: Web, client: ChatClient, session: str
) -> None:
    web.stand.begin(session)
    waiting = client.call("run", {"input": "wait", "session_id": session})["run_id"]
    answer = client.call("queue.cancel", {"session_id": session, "run_id": waiting})
    assert (answer["ok"], answer["status"]) == (True, "aborted")
    client.wait_for("run.cancelled")
    assert client.wait_for("queue.updated", 2)[-1]["queue"] == []


def test_a_repeated_request_is_the_same_run(web: Web, session: str) -> None:
    payload = {"input": "once", "session_id": session, "client_request_id": "c"}
    ids = []
    for _ in range(2):
        client = ChatClient(web.url)
        ids.append(client.call("run", payload)["run_id"])
        client.close()
    assert ids[0] == ids[1]
    client = ChatClient(web.url)
    conflict = client.call("run", {**payload, "input": "twice"})
    assert conflict["error"]["code"] == "request_conflict"
    client.close()


def test_a_run_without_session_is_heard_by_its_sender_alone(web: Web, client: ChatClient) -> None:
    run_id = client.call("run", {"input": "hello"})["run_id"]
    claimed = web.stand.claim(run_id)
    LiveRun(web.stand.log, claimed.keys, fence=claimed.fence).say("hi")
    assert client.wait_for("message.delta")[0]["run_id"] == run_id


def test_a_socket_that_does_not_read_is_closed_and_others_are_served(
    web: Web, client: ChatClient, session: str, raw: Raw
) -> None:
    slow = raw()
    slow.send('42/chat-run,7["resume",{"session_id":"' + session + '"}]')
    received(slow, "43/chat-run,7")
    client.call("resume", {"session_id": session})
    run = web.stand.begin(session)
    filler = "x" * 20_000
    sent = 0
    while "socket.too_slow" not in web.process.log():
        run.say(*[filler] * 10)
        sent += 10
        client.wait_for("message.delta", sent, within=20)
        assert sent < 5000
    wait_until(lambda: is_closed(slow), what="the slow socket is closed")
    assert [p["seq"] for p in client.named("message.delta")] == list(range(1, sent + 1))


def test_health_tells_which_part_fails(web: Web) -> None:
    assert requests.get(web.url + "/healthz", timeout=5).json()["status"] == "ok"
    ready = requests.get(web.url + "/readyz", timeout=5)
    assert (ready.status_code, ready.json()["relay"]) == (200, "ok")
    services = ready.json()["services"]
    assert {"relay-tick", "relay-reader-0", "heartbeat", "websocket-reader"} <= set(services)
    assert set(services.values()) == {"ok"}
    assert requests.get(web.url + "/", timeout=5).json()["service"] == "holdfast"


def test_without_redis_it_is_alive_but_not_ready(
    processes: Processes, tmp_path: Path, session: str
) -> None:
    server = RedisServer()
    database_url = f"sqlite:///{tmp_path / 'test.db'}"
    migrated(database_url)
    url, process = start_web(processes, server.url, database_url, tmp_path)
    client = ChatClient(url)
    server.stop()
    ready = wait_for_http(url + "/readyz", status=503)  # an answer counts for half a second
    assert ready.json()["redis"] == "failed"
    assert ready.json()["database"] == "ok"
    assert requests.get(url + "/healthz", timeout=5).status_code == 200
    answer = client.call("run", {"input": "a", "session_id": session})
    assert answer["error"]["code"] == "redis_unavailable"
    assert client.call("resume", {"session_id": session})["ok"]
    assert client.named("resumed")[0]["degraded"]
    client.close()
    assert process.stop() == 0


def test_polling_clients_are_served_too(web: Web, session: str) -> None:
    client = ChatClient(web.url, transports=["polling"])
    client.call("resume", {"session_id": session})
    web.stand.begin(session).say("a")
    client.wait_for("message.delta")
    client.close()


def test_clients_that_begin_with_polling_go_on_as_websocket(
    web: Web, session: str, client: ChatClient
) -> None:
    upgraded = ChatClient(web.url, transports=["polling", "websocket"])
    assert upgraded.client.transport() == "websocket"
    upgraded.call("resume", {"session_id": session})
    run = web.stand.begin(session)
    run.say(*[f"{n} " for n in range(100)])
    assert [p["seq"] for p in upgraded.wait_for("message.delta", 100)] == list(range(1, 101))
    upgraded.close()
    assert client.call("resume", {"session_id": session})["ok"]


def test_a_request_that_is_no_websocket_is_refused(web: Web, session: str) -> None:
    headers = {"Connection": "Upgrade", "Upgrade": "websocket"}  # without a key
    url = web.url + "/socket.io/?EIO=4&transport=websocket"
    assert requests.get(url, headers=headers, timeout=5).status_code == 400


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_quickly_and_its_clients_come_back(
    web: Web, number: signal.Signals, processes: Processes, tmp_path: Path
) -> None:
    reasons: list[Any] = []
    url, process = start_web(processes, web.redis_url, web.stand.db.url, tmp_path)
    client = ChatClient(url)
    client.client.on("disconnect", lambda *reason: reasons.append(reason), namespace=NAMESPACE)
    process.signal(number)
    assert process.wait(within=5) == 0
    wait_until(lambda: reasons, what="the disconnect")
    # A DISCONNECT packet would stop the client for good (P2).
    assert reasons[0][0] != socketio.Client.reason.SERVER_DISCONNECT
    client.close()
    assert "Traceback" not in process.log()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_at_once_when_nobody_ever_connected(
    web: Web, number: signal.Signals, processes: Processes, tmp_path: Path
) -> None:
    _, process = start_web(processes, web.redis_url, web.stand.db.url, tmp_path)
    process.signal(number)
    assert process.wait(within=10) == 0
    assert "service.not_joined" not in process.log()


def shown(client: ChatClient) -> str:
    """What a client shows that knows nothing of seq."""
    text = ""
    for name, payload in list(client.received):
        if name == "resumed":
            text = "".join(m["content"] for m in payload["messages"] if m["role"] == "assistant")
        elif name == "message.delta":
            text += payload["delta"]
    return text


@pytest.fixture
def raw(web: Web) -> Iterator[Callable[[], websocket.WebSocket]]:
    """Opens raw sockets, and closes them."""
    opened: list[Any] = []  # the sockets themselves: the library forgets them after an error

    def connect() -> websocket.WebSocket:
        connection = raw_socket(web.url)
        opened.append(connection.sock)
        return connection

    yield connect
    for sock in opened:
        sock.close()


def raw_socket(url: str) -> websocket.WebSocket:
    """A WebSocket that is connected to our namespace, without a client library above it."""
    connection = websocket.create_connection(
        url.replace("http", "ws") + "/socket.io/?EIO=4&transport=websocket", timeout=10
    )
    connection.send('40/chat-run,{"token":"token"}')
    received(connection, "40/chat-run,")
    return connection


def received(connection: websocket.WebSocket, prefix: str) -> str:
    """The rest of the first text that begins so."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        text = connection.recv()
        assert isinstance(text, str)
        if text.startswith(prefix):
            return text.removeprefix(prefix)
    raise AssertionError(prefix)


def send_fragments(connection: websocket.WebSocket, text: str, size: int = 100_000) -> None:
    parts = [text[i : i + size] for i in range(0, len(text), size)]
    for i, part in enumerate(parts):
        frame = websocket.ABNF.create_frame(
            part, websocket.ABNF.OPCODE_TEXT if i == 0 else websocket.ABNF.OPCODE_CONT, 0
        )
        frame.fin = int(i == len(parts) - 1)
        try:
            connection.send_frame(frame)
        except (OSError, websocket.WebSocketException):
            return  # closed on the way


def is_closed(connection: websocket.WebSocket) -> bool:
    try:
        while connection.connected:
            connection.settimeout(1)
            if connection.recv() == "":
                return True
    except websocket.WebSocketTimeoutException:
        return False
    except (OSError, websocket.WebSocketException):
        return True
    return True


def assert_closed(connection: websocket.WebSocket) -> None:
    wait_until(lambda: is_closed(connection), what="the connection is closed")
