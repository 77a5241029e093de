"""A real Redis-protocol server for tests, from the packaged binary or the system's."""

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import redis

from deploy.local.embedded_redis import EmbeddedRedis, RedisBinary, packaged_binary, system_binary
from tests.support.servers.old_redis import oldest_binary
from tests.support.servers.processes import wait_until

KINDS = ("embedded", "system", "oldest")


def binary_of(kind: str) -> RedisBinary | None:
    """One of the KINDS that the contracts are run against; None for a system that has none. Raises
    InstallError."""
    return {"embedded": packaged_binary, "system": system_binary, "oldest": oldest_binary}[kind]()


class RedisServer:
    """A running server in a folder of its own, on a port of its own."""

    def __init__(
        self, binary: RedisBinary | None = None, extra: str = "", port: int | None = None
    ) -> None:
        """Start it and wait until it answers. `extra`: lines for its configuration; `port`: a free
        one, else any is taken."""
        self.directory = Path(tempfile.mkdtemp(prefix="holdfast-redis-"))
        if port is not None:
            (self.directory / "port").write_text(f"{port}\n")
        self._server = EmbeddedRedis.prepare(binary or packaged_binary(), self.directory, extra)
        self._start()

    @property
    def url(self) -> str:
        """Its address, with the password."""
        return self._server.url

    @property
    def port(self) -> int:
        return self._server.port

    @property
    def pid(self) -> int:
        return self._process.pid

    def client(self, **options: Any) -> redis.Redis:
        """A client; the caller closes it."""
        return redis.Redis.from_url(self.url, **options)

    def flush(self) -> None:
        """Forget everything."""
        with self.client() as client:
            client.flushall()

    def stop(self) -> None:
        """End it cleanly and delete its folder."""
        self.terminate()
        shutil.rmtree(self.directory, ignore_errors=True)

    def terminate(self) -> None:
        """End it cleanly; the data stays."""
        self._process.terminate()
        self._process.wait(20)

    def kill(self) -> None:
        """End it as a crash does; the data stays as far as it was written."""
        self._process.kill()
        self._process.wait()

    def restart(self) -> None:
        """Start it again on the same port with the same data, ending it cleanly if it runs."""
        if self._process.poll() is None:
            self.terminate()
        self._start()

    def _start(self) -> None:
        with (self.directory / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._server.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_until(self._answers, within=20, what="the Redis server answers")

    def _answers(self) -> bool:
        if self._process.poll() is not None:
            raise AssertionError((self.directory / "server.log").read_text())
        return self._server.is_ready()
