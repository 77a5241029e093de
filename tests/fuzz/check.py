"""A web process that is sent random input, and what is looked at meanwhile."""

from __future__ import annotations

import re
import shutil
import signal
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from shared.db.migrate import upgrade
from tests.support.clients.chat_client import ChatClient
from tests.support.servers.processes import Processes, wait_for_http
from tests.support.servers.redis_server import RedisServer

TOKEN = "token"
ACCIDENT = re.compile(r"Traceback|\b(ERROR|CRITICAL)\b")
PATIENCE = 5.0  # seconds within which another user is answered

# Limits that would end the input of one sender early; they have tests of their own.
WIDE = {
    "REQUESTS_PER_SECOND": "100000",
    "TOKEN_GUESSES": "1000000",
    "UNAUTHENTICATED_PER_ADDRESS": "2000",
}


class Watched:
    """A web process with a database and a Redis server of its own; a context manager."""

    def __init__(self) -> None:
        with ExitStack() as left:
            folder = Path(tempfile.mkdtemp(prefix="holdfast-fuzz-"))
            left.callback(shutil.rmtree, folder, ignore_errors=True)
            database_url = f"sqlite:///{folder / 'test.db'}"
            upgrade(database_url)
            redis = RedisServer()
            left.callback(redis.stop)
            processes = Processes(folder)
            left.callback(processes.stop_all)
            environment = {
                "REDIS_URL": redis.url,
                "DATABASE_URL": database_url,
                "HOLDFAST_HOME": str(folder),
                "AUTH_TOKEN": TOKEN,
                "PORT": "0",
                **WIDE,
            }
            self._process = processes.start_module("web", "web", environment=environment)
            self._process.wait_for_log("web.listening")
            found = re.search(r"web\.listening url=(\S+)", self._process.log())
            assert found is not None
            self.url, self.token = found[1], TOKEN
            self._seen = len(self._process.log())
            self._left = left.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._left.close()

    @property
    def pid(self) -> int:
        """Of the web process."""
        return self._process.pid

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        parts = urlsplit(self.url)
        return str(parts.hostname), int(parts.port or 0)

    def suspend(self) -> None:
        """Stop the process for a while, to see that `look` notices."""
        self._process.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._process.signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it."""
        self._process.kill()

    def log_bytes(self) -> int:
        """What it has written."""
        return len(self._process.log())

    def look(self) -> tuple[float, list[str]]:
        """Seconds until another user was answered, and what is wrong."""
        faults = []
        if self._process.returncode is not None:
            return 0.0, [f"the process ended with {self._process.returncode}"]
        began = time.monotonic()
        try:
            self._ask()
        except Exception as error:  # noqa: BLE001 - whatever it is, another user was not served
            faults.append(f"another user is not served: {error!r}")
        seconds = time.monotonic() - began
        if seconds > PATIENCE:
            faults.append(f"another user waited {seconds:.1f} s")
        written = self._process.log()
        news, self._seen = written[self._seen :], len(written)
        faults += [line[:300] for line in news.splitlines() if ACCIDENT.search(line)][:5]
        return seconds, faults

    def _ask(self) -> None:
        """What an honest client does: connect, resume a session, be told of it; and HTTP."""
        wait_for_http(f"{self.url}/healthz", within=PATIENCE)
        client = ChatClient(self.url)
        try:
            client.call("resume", {"session_id": "honest"})
            client.wait_for("resumed")
        finally:
            client.close()
