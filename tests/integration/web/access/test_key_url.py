"""A real web process whose keys come from a URL: what the issuer's server does, it goes on."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import socketio

from shared.db.migrate import upgrade
from shared.protocol.events import NAMESPACE
from tests.integration.shared.net.test_fetch import WHOLE, Server
from tests.integration.web.test_process import start_web
from tests.support.clients.chat_client import ChatClient
from tests.support.jwts import RULES, Signer
from tests.support.servers.processes import Processes, RunningProcess, wait_until
from tests.support.servers.redis_server import RedisServer

SIGNER = Signer()


class Issuer(Server):
    """Hangs while `hangs`, then answers with the key."""

    def __init__(self) -> None:
        self.goes_on = threading.Event()
        super().__init__(self._answer)

    def _answer(self, line: socket.socket) -> None:
        if self.goes_on.wait(30):
            line.sendall(WHOLE)


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    made = Issuer()
    yield made
    made.goes_on.set()
    made.stop()


@pytest.fixture
def web(
    processes: Processes, redis_server: RedisServer, tmp_path: Path, issuer: Issuer
) -> tuple[str, RunningProcess]:
    database_url = f"sqlite:///{tmp_path / 'test.db'}"
    upgrade(database_url)
    return start_web(
        processes, redis_server.url, database_url, tmp_path, JWT_JWKS_URL=issuer.url, **RULES
    )


def who(url: str, token: str) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return requests.get(f"{url}/auth/session", headers=headers, timeout=30)


def test_while_the_issuer_hangs_others_are_served_and_then_all_are(
    web: tuple[str, RunningProcess], issuer: Issuer
) -> None:
    url, process = web
    wait_until(lambda: issuer.requests, what="the first reading")
    answers: list[requests.Response] = []
    waiting = threading.Thread(target=lambda: answers.append(who(url, SIGNER.token())))
    begun = time.monotonic()
    waiting.start()
    slowest = 0.0
    client = ChatClient(url)
    while waiting.is_alive():
        asked = time.monotonic()
        assert requests.get(f"{url}/healthz", timeout=5).status_code == 200
        assert client.call("resume", {"session_id": "s"})["ok"]
        slowest = max(slowest, time.monotonic() - asked)
        time.sleep(0.05)
    waiting.join()
    assert time.monotonic() - begun < 12
    assert slowest < 2
    assert (answers[0].status_code, answers[0].json()["error"]["code"]) == (503, "unavailable")
    assert int(answers[0].headers["Retry-After"]) > 0
    refusals: list[Any] = []
    early = socketio.Client(reconnection=False)
    early.on("connect_error", refusals.append, namespace=NAMESPACE)
    with pytest.raises(socketio.exceptions.ConnectionError):
        early.connect(url, auth={"token": SIGNER.token()}, namespaces=[NAMESPACE], wait_timeout=9)
    early.shutdown()
    assert not [said for said in refusals if "Authentication" in str(said)]
    assert client.call("resume", {"session_id": "s"})["ok"]
    client.close()
    assert "jwks.unreachable" in process.log()
    assert "Traceback" not in process.log()


def test_keys_are_read_once_and_serve_sockets_and_requests(
    web: tuple[str, RunningProcess], issuer: Issuer
) -> None:
    url, process = web
    issuer.goes_on.set()
    for _ in range(20):
        assert who(url, SIGNER.token()).json()["owner"] == "alice"
    client = ChatClient(url, auth={"token": SIGNER.token(sub="bob", role="admin")})
    assert client.call("resume", {"session_id": "s"})["ok"]
    client.close()
    for _ in range(20):
        assert who(url, Signer(number=1, kid="unknown").token()).status_code == 401
    assert len(issuer.requests) == 1
    assert "jwks.changed keys=1" in process.log()
    assert "last=unknown_key" in process.log()
    assert "eyJ" not in process.log()
