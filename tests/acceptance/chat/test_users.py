"""Two people on one server: what is the one's looks to the other like what is not there (F35)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from socketio.exceptions import ConnectionError as Refused
from sqlalchemy import select
from websocket import WebSocket, create_connection

from shared.db.models import SessionRow
from shared.user_tokens import digest
from tests.acceptance.answers import assert_whole, numbered, talk
from tests.acceptance.conftest import Clients
from tests.support.clients.socket_client import SocketClient
from tests.support.jwts import RULES, SECRET, secret_token
from tests.support.recording import Payload, Recording
from tests.support.servers.stack import TOKEN, Stack

NAMESPACE = "/chat-run"
LONG = 3000  # tokens: longer than a test
EVERYBODY = {"alice": ["token-of-alice", "new-token-of-alice"], "bob": ["token-of-bob"]}


def write_users(stack: Stack, users: dict[str, list[str]]) -> None:
    """Put the file in its place, as an operator's editor does."""
    lines = (f"{name} = {json.dumps([digest(t) for t in has])}" for name, has in users.items())
    file = stack.folder / "users.toml"
    draft = file.with_suffix(".new")
    draft.touch(mode=0o600)
    draft.write_text("[users]\n" + "\n".join(lines))
    draft.replace(file)


@pytest.fixture(scope="module")
def shared() -> Iterator[Stack]:
    """A stack with a file of users, beside the shared token."""
    made = Stack()
    made.environment["TOKENS_FILE"] = str(made.folder / "users.toml")
    made.environment |= {"RECHECK_SECONDS": "1", "JWT_SECRET": SECRET, **RULES}
    write_users(made, EVERYBODY)
    try:
        yield made.start()
        assert made.accidents() == [], "an error that nobody planned"
    finally:
        made.stop()


@pytest.fixture(params=["file", "jwt"])
def way(request: pytest.FixtureRequest) -> str:
    """By what the two come in: tokens of the file, or JWTs."""
    return str(request.param)


@pytest.fixture
def alice(shared: Stack, connect: Clients, way: str) -> SocketClient:
    token = "token-of-alice" if way == "file" else secret_token(sub="alice")
    return connect(shared, token=token, who="alice")


@pytest.fixture
def bob(shared: Stack, connect: Clients, way: str) -> SocketClient:
    token = "token-of-bob" if way == "file" else secret_token(sub="bob")
    return connect(shared, token=token, who="bob")


@pytest.fixture
def hers(alice: SocketClient, session_id: str) -> Iterator[str]:
    """A run of Alice that is live while the test looks at it."""
    run_id = alice.run(talk(LONG, rate=100), session_id)
    alice.wait_until(lambda: len(alice.deltas(run_id)) > 50, what="some text")
    yield run_id
    alice.abort(session_id)
    alice.end(run_id)


def ask(client: SocketClient, event: str, payload: Payload) -> list[Any]:
    """The acknowledgement, and what was said to the socket before it."""
    mark = client.mark()
    answer = client.call(event, payload)
    return [answer, *([h.name, h.payload] for h in client.received[mark:])]


def nameless(received: list[Any], payload: Payload) -> str:
    """What was received, without the ids of the request."""
    text = json.dumps(received, sort_keys=True)
    for name in ("session_id", "run_id"):
        text = text.replace(str(payload.get(name, "no such id")), name)
    return text


def as_unknown(payload: Payload) -> Payload:
    """The same request for ids that nobody has."""
    unknown = {"session_id": "session-of-nobody", "run_id": "run_of_nobody"}
    return {name: unknown.get(name, value) for name, value in payload.items()}


QUESTIONS = [
    ("resume", ("session_id",), {}),
    ("resume", ("run_id",), {}),
    ("resume", ("session_id", "run_id"), {"epoch": 1, "after_seq": 0}),
    ("resume", ("run_id",), {"epoch": 1, "after_seq": 0}),
    ("abort", ("session_id",), {}),
    ("abort", ("run_id",), {}),
    ("abort", ("session_id", "run_id"), {}),
    ("queue.cancel", ("run_id",), {}),
    ("queue.cancel", ("session_id", "run_id"), {}),
    ("approval", ("session_id",), {"choice": "once"}),
    ("approval", ("run_id",), {"choice": "once"}),
    ("approval", ("session_id", "run_id"), {"choice": "once", "approval_id": 2}),
]


@pytest.mark.parametrize(
    ("event", "names", "more"), QUESTIONS, ids=lambda v: "+".join(v) if v else None
)
def test_a_strangers_ids_are_answered_like_unknown_ids(
    shared: Stack,
    alice: SocketClient,
    bob: SocketClient,
    hers: str,
    session_id: str,
    event: str,
    names: tuple[str, ...],
    more: Payload,
) -> None:
    known = {"session_id": session_id, "run_id": hers}
    payload = {**{name: known[name] for name in names}, **more}
    nobodys = as_unknown(payload)
    assert nameless(ask(bob, event, payload), payload) == nameless(
        ask(bob, event, nobodys), nobodys
    )
    before = len(alice.deltas(hers))
    alice.wait_until(lambda: len(alice.deltas(hers)) > before + 100, what="she goes on")
    assert shared.run_row(hers).state == "running"
    assert {event.name for event in bob.received} <= {"connect", "resumed"}


def test_a_waiting_message_of_another_cannot_be_taken_back(
    shared: Stack, alice: SocketClient, bob: SocketClient, hers: str, session_id: str
) -> None:
    waiting = alice.run(talk(5), session_id)
    for event in ("queue.cancel", "abort"):
        refused = bob.call(event, {"run_id": waiting})
        assert refused["error"]["code"] == "not_found"
    assert shared.run_row(waiting).state == "queued"
    assert alice.call("queue.cancel", {"run_id": waiting})["ok"]


def test_a_question_to_one_person_is_not_answered_by_another(
    alice: SocketClient, bob: SocketClient, session_id: str
) -> None:
    run_id = alice.run(talk(4, approval={"after": 2, "command": "rm -rf build"}), session_id)
    asked = alice.wait_for("approval.request")
    answer = {"run_id": run_id, "approval_id": asked["seq"], "choice": "once"}
    for payload in (answer, {**answer, "session_id": session_id}):
        assert bob.call("approval", payload)["error"]["code"] == "not_found"
    assert alice.call("approval", {**answer, "choice": "deny"})["ok"]
    assert alice.wait_for("approval.responded")["choice"] == "deny"
    alice.end(run_id)


def test_a_run_without_a_session_is_its_owners_alone(
    alice: SocketClient, bob: SocketClient
) -> None:
    run_id = alice.run(talk(LONG, rate=100))
    alice.wait_until(lambda: len(alice.deltas(run_id)) > 50, what="some text")
    nobodys = {"run_id": "run_of_nobody", "choice": "once"}
    for event in ("resume", "abort", "queue.cancel", "approval"):
        payload = {**nobodys, "run_id": run_id}
        assert nameless(ask(bob, event, payload), payload) == nameless(
            ask(bob, event, nobodys), nobodys
        )
    before = len(alice.deltas(run_id))
    alice.wait_until(lambda: len(alice.deltas(run_id)) > before + 100, what="she goes on")
    assert {h.name for h in bob.received} <= {"connect", "resumed"}
    assert alice.call("abort", {"run_id": run_id})["ok"]


def test_one_session_id_of_two_people_is_two_sessions(
    shared: Stack, alice: SocketClient, bob: SocketClient, hers: str, session_id: str
) -> None:
    his = bob.run(talk(20), session_id, client_request_id="the-same")
    assert_whole(bob, his, 20)
    posted = requests.post(
        f"{shared.url}/runs",
        json={"input": talk(10), "session_id": session_id},
        headers={"Authorization": "Bearer token-of-bob"},
        timeout=20,
    ).json()
    assert_whole(bob, posted["run_id"], 10)
    assert bob.abort(session_id)["error"]["code"] == "not_found"  # his own have ended
    shown = bob.resume(session_id)
    assert [m["role"] for m in shown["messages"]] == ["user", "assistant"] * 2
    assert shown["isWorking"] is False
    assert alice.resume(session_id)["isWorking"] is True
    repeated = alice.run(talk(3), session_id, client_request_id="the-same")
    assert repeated != his
    alice.call("queue.cancel", {"run_id": repeated})
    owners = shared.read(
        lambda s: set(s.scalars(select(SessionRow.owner).where(SessionRow.id == session_id)))
    )
    assert owners == {"alice", "bob"}
    assert {p.get("run_id") for p in bob.all()} - {None} == {his, posted["run_id"]}
    assert {p.get("run_id") for p in alice.all("run.started")} == {hers}


def test_post_runs_goes_to_the_owner_of_the_bearer_token(shared: Stack, session_id: str) -> None:
    codes = []
    for token in ("token-of-alice", "token-of-bob", TOKEN, digest("token-of-bob"), "wrong"):
        body = {"input": talk(2), "session_id": session_id}
        headers = {"Authorization": f"Bearer {token}"}
        codes.append(requests.post(f"{shared.url}/runs", json=body, headers=headers, timeout=20))
    assert [answer.status_code for answer in codes] == [202, 202, 202, 401, 401]
    runs = [answer.json()["run_id"] for answer in codes[:3]]
    assert [shared.run_row(run).owner for run in runs] == ["alice", "bob", "default"]


class Recoverable(Recording):
    """A bare socket that says by itself what it comes back as (P3)."""

    def __init__(self, stack: Stack, token: str, **came_back_as: str) -> None:
        super().__init__(token)
        url = stack.url.replace("http", "ws", 1)
        self._socket: WebSocket = create_connection(
            f"{url}/socket.io/?EIO=4&transport=websocket&recovery=1", timeout=20
        )
        self._socket.recv()
        self._send("0", {"token": token, **came_back_as})
        self.pid = str(self.frame("0")["pid"])

    def emit(self, name: str, payload: Payload) -> None:
        self._send("2", [name, payload])

    def frame(self, kind: str) -> Any:
        """The data of the next packet of that kind."""
        head = f"4{kind}{NAMESPACE},"
        while not (text := str(self._socket.recv())).startswith(head):
            if text == "2":
                self._socket.send("3")
        return json.loads(text[len(head) :])

    def events(self, count: int) -> list[list[Any]]:
        """The next events: name, payload, offset."""
        return [self.frame("2") for _ in range(count)]

    def silence(self, seconds: float) -> None:
        """Fails if an event comes meanwhile."""
        self._socket.settimeout(seconds)
        with pytest.raises(Exception, match="timed out"):
            self.frame("2")

    def close(self) -> None:
        """As a lost network: without a word."""
        assert self._socket.sock is not None
        self._socket.sock.close()

    def _send(self, kind: str, data: object) -> None:
        self._socket.send(f"4{kind}{NAMESPACE},{json.dumps(data)}")


def test_a_stolen_pid_and_offset_bring_back_nothing_to_somebody_else(
    shared: Stack, alice: SocketClient, session_id: str
) -> None:
    lost = Recoverable(shared, "token-of-alice")
    lost.emit("run", {"input": talk(LONG, rate=100), "session_id": session_id})
    received = lost.events(30)
    lost.close()
    stolen = {"pid": lost.pid, "offset": received[-1][2]}
    thief = Recoverable(shared, "token-of-bob", **stolen)
    assert thief.pid != lost.pid
    thief.silence(1.0)
    thief.close()
    back = Recoverable(shared, "new-token-of-alice", **stolen)
    assert back.pid == lost.pid
    seqs = [item[1]["seq"] for item in (*received, *back.events(30)) if "seq" in item[1]]
    assert seqs == list(range(1, len(seqs) + 1))
    back.close()
    alice.abort(session_id)


def test_both_tokens_of_a_user_open_the_same_sessions(
    shared: Stack, alice: SocketClient, connect: Clients, session_id: str
) -> None:
    alice.end(alice.run(talk(7), session_id))
    shown = connect(shared, token="new-token-of-alice").resume(session_id)
    assert [m["content"] for m in shown["messages"]][1:] == [numbered(7)]


def test_tokens_come_and_go_while_the_server_runs(shared: Stack, connect: Clients) -> None:
    old = connect(shared, token="token-of-alice")
    stays = connect(shared, token="new-token-of-alice")
    try:
        write_users(shared, {"alice": ["new-token-of-alice"], "carol": ["token-of-carol"]})
        for gone in ("token-of-alice", "token-of-bob"):
            with pytest.raises(Refused):
                connect(shared, token=gone)
        for name in ("new-token-of-alice", "token-of-carol", TOKEN):
            connect(shared, token=name)
        old.wait_for("disconnect")
        assert stays.call("resume", {"session_id": "of-a-token-that-is-valid"})["ok"]
    finally:
        write_users(shared, EVERYBODY)
    connect(shared, token="token-of-bob")
