"""A web process that is asked to stop answers what is under way."""

import json
import signal
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from deploy.local.ports import LOOPBACK, free_port
from shared.db.migrate import upgrade
from tests.support.servers.processes import Processes, RunningProcess
from tests.support.servers.redis_server import RedisServer


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[RunningProcess, int, Path]]:
    """A process, its port, and the file of its database."""
    server, database, port = RedisServer(), tmp_path / "test.db", free_port()
    upgrade(f"sqlite:///{database}")
    processes = Processes(tmp_path)
    environment = {
        "REDIS_URL": server.url,
        "DATABASE_URL": f"sqlite:///{database}",
        "HOLDFAST_HOME": str(tmp_path),
        "AUTH_TOKEN": "token",
        "PORT": str(port),
    }
    process = processes.start_module("web", "web", environment=environment)
    process.wait_for_log("web.listening")
    yield process, port, database
    processes.stop_all()
    server.stop()


def post(port: int, body: object) -> socket.socket:
    """A connection over which a run was requested; the answer is not read yet."""
    data = json.dumps(body).encode()
    head = (
        f"POST /runs HTTP/1.1\r\nHost: {LOOPBACK}\r\nAuthorization: Bearer token\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    connection = socket.create_connection((LOOPBACK, port), timeout=20)
    connection.sendall(head.encode() + data)
    return connection


def test_a_request_that_waits_for_the_database_is_answered(
    web: tuple[RunningProcess, int, Path],
) -> None:
    process, port, database = web
    with sqlite3.connect(database, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")  # nobody else can write
        with post(port, {"input": "hello", "session_id": "s"}) as connection:
            url = f"http://{LOOPBACK}:{port}/healthz"
            assert requests.get(url, timeout=10).status_code == 200  # that one came before this
            process.signal(signal.SIGTERM)
            process.wait_for_log("web.drained")
            with pytest.raises(AssertionError, match="still running"):
                process.wait(within=2.5)
            other.execute("ROLLBACK")
            answer = connection.recv(10_000)
    other.close()
    assert answer.startswith(b"HTTP/1.1 202 "), answer
    assert process.wait() == 0


def test_connections_that_the_kernel_had_accepted_are_answered(
    web: tuple[RunningProcess, int, Path],
) -> None:
    process, port, _ = web
    process.signal(signal.SIGSTOP)  # so that all of them wait in the kernel
    waiting = [post(port, {"input": "hello", "session_id": f"s{number}"}) for number in range(20)]
    process.signal(signal.SIGTERM)
    process.signal(signal.SIGCONT)
    answers = []
    for connection in waiting:
        with connection:
            answers.append(connection.recv(10_000)[:13])
    assert answers == [b"HTTP/1.1 202 "] * 20
    assert process.wait() == 0
