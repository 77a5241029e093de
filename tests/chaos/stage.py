"""Everything that faults act on: a whole Holdfast of real processes, each of which can be hit."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from deploy.local.ports import free_port
from shared.db.migrate import upgrade
from tests.chaos.clients.crowd import Crowd
from tests.chaos.evidence.evidence import Row
from tests.chaos.evidence.memory import Memory
from tests.chaos.faults.load import NEIGHBOUR_TOKEN
from tests.support.gateways.demo_gateway import DemoGateway
from tests.support.servers.pgbouncer import PgBouncer, find_pgbouncer
from tests.support.servers.postgres import PostgresServer, find_binaries
from tests.support.servers.processes import RunningProcess, wait_for_http
from tests.support.servers.stack import Stack

KEY = "key-of-the-demo"
READY = {"web": "web.listening", "worker": " ready.", "maintenance": " ready.", "beat": ""}
CLOCKS = Path(__file__).parent / "leaping_clock"
SLOTS = 12  # runs that a worker has at once: a burst is several times as much
MODULES = {"worker": ("worker", "runs"), "maintenance": ("worker", "maintenance")}


class Stage(Stack):
    """`slots`: role and number -> the process that has it now; `restart` fills one again."""

    def __init__(self, *, postgres: bool, web: int, workers: int, lease: float) -> None:
        """`lease`: seconds; the reaper looks twice a second."""
        self.gateway_port = free_port()
        self._server = _postgres() if postgres else None
        self._direct_url = _database(self._server) if self._server else ""
        self.pooler = _pooler(self._direct_url) if self._server else None
        super().__init__(
            database_url=self.pooler.url if self.pooler else "",
            gateway=(f"http://127.0.0.1:{self.gateway_port}", KEY),
            LEASE_SECONDS=lease,
            REAP_SECONDS=0.5,
            POST_TIMEOUT=8,
            STOP_TIMEOUT=10,
            WATCHDOG_SECONDS=2,
            START_DEADLINE=60,
            DRAIN_SECONDS=60,
            WORKER_CONCURRENCY=SLOTS,
            PYTHONPATH=os.pathsep.join([str(CLOCKS), os.environ.get("PYTHONPATH", "")]),
        )
        self.environment["TOKENS_FILE"] = str(_neighbour(self.folder))
        self.lease = lease
        self.journal = self.folder / "gateway.jsonl"
        self.slots: dict[tuple[str, int], RunningProcess] = {}
        self.memory = Memory()
        self.crowd = Crowd()
        self._roles = [("web", n) for n in range(web)] + [("worker", n) for n in range(workers)]
        self._roles += [("maintenance", 0), ("beat", 0)]
        self._lock = threading.Lock()
        self._count = 0

    @property
    def postgres(self) -> PostgresServer | None:
        """The database's server, if it is PostgreSQL."""
        return self._server

    def start(self) -> Stage:
        """Start all roles; returns when they are ready."""
        self.start_gateway()
        self._migrate()
        for role, number in self._roles:
            self._fill(role, number)
        for (role, _), process in self.slots.items():
            process.wait_for_log(READY[role], within=60)
        wait_for_http(f"{self.url}/readyz", within=30)
        return self

    def _migrate(self) -> None:
        upgrade(self._direct_url or self._database_url)

    def start_gateway(self) -> None:
        """The gateway, again on its port, with the same journal."""
        self._demo = DemoGateway.start(
            key=KEY, max_runs=0, port=self.gateway_port, journal=self.journal
        )

    def victim(self, role: str, number: int) -> tuple[tuple[str, int], RunningProcess]:
        """The slot that a fault's number means, and its process."""
        slots = sorted(slot for slot in self.slots if slot[0] == role)
        slot = slots[number % len(slots)]
        return slot, self.slots[slot]

    def restart(self, slot: tuple[str, int]) -> None:
        """What a supervisor does: start the role again; returns when it is ready."""
        process = self._fill(*slot)
        process.wait_for_log(READY[slot[0]], within=60)

    def extra_beat(self) -> RunningProcess:
        """A second beat, which must do no harm."""
        return self._begin("beat", 1)

    def ready(self) -> list[RunningProcess]:
        """The processes that have begun to work."""
        slots = self.slots.items()
        return [process for (role, _), process in slots if READY[role] in process.log()]

    def set_clock(self, slot: tuple[str, int], seconds: float) -> None:
        """Let the wall clock of a role's process differ by so much, also of those after it."""
        with self._clock(slot).open("r+b") as file:  # in place: processes have it mapped
            file.write(struct.pack("d", seconds))

    @contextlib.contextmanager
    def command(self) -> Iterator[Any]:
        """A Redis client, closed at the end of the block."""
        client = self.redis.client(socket_timeout=10)
        try:
            yield client
        finally:
            client.close()

    def processes(self) -> list[RunningProcess]:
        """All that were ever started, with their logs."""
        return list(self._processes.started)

    def measure(self) -> None:
        """Note the memory of every process that has a slot."""
        for (role, number), process in list(self.slots.items()):
            self.memory.note(f"{role}.{number}", process.pid)

    def streamed(self) -> dict[str, list[Row]]:
        """What readers of event streams received, by session; they leave."""
        return {}

    def stop(self) -> None:
        """End everything, and leave nothing."""
        self.end(keep=False)

    def end(self, *, keep: bool) -> Path | None:
        """End everything; the folder with the logs, if it is kept."""
        for process in self._processes.started:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.signal(signal.SIGCONT)
                    process.signal(signal.SIGTERM)
        self._processes.stop_all()
        self.db.close()
        if self._demo is not None:
            self._demo.stop()
        if keep:
            shutil.copy(self.redis.directory / "server.log", self.folder / "redis.log")
        self.redis.stop()
        if self.pooler is not None:
            self.pooler.stop()
        if self._server is not None:
            self._server.stop()
        if keep:
            return self.folder
        shutil.rmtree(self.folder, ignore_errors=True)
        return None

    def _fill(self, role: str, number: int) -> RunningProcess:
        process = self._begin(role, number)
        self.slots[role, number] = process
        return process

    def _begin(self, role: str, number: int) -> RunningProcess:
        with self._lock:
            self._count += 1
            name = f"{role}.{number}.{self._count}"
            clock = self._clock((role, number))
            if not clock.exists():
                clock.write_bytes(struct.pack("d", 0.0))
            self.environment["CHAOS_CLOCK"] = str(clock)
            return self._start(
                name, *MODULES.get(role, (role,) if role == "web" else ("worker", role))
            )

    def _clock(self, slot: tuple[str, int]) -> Path:
        return self.folder / f"clock.{slot[0]}.{slot[1]}"


def _database(server: PostgresServer) -> str:
    """Commits are durable: a kill of the server must lose none (tests usually do without)."""
    url = server.create_database("chaos")
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("ALTER DATABASE chaos SET synchronous_commit = on"))
    return url


def _postgres() -> PostgresServer:
    binaries = find_binaries()
    assert binaries is not None, "no PostgreSQL: use DATABASE=sqlite"
    return PostgresServer(binaries)


def _pooler(url: str) -> PgBouncer:
    program = find_pgbouncer()
    assert program is not None, "no PgBouncer: install pgbouncer, or use DATABASE=sqlite"
    return PgBouncer(program, url, connections=20)


def _neighbour(folder: Path) -> Path:
    """A file with the token of another user."""
    file = folder / "tokens.toml"
    file.write_text(
        f'[users]\nneighbour = "{hashlib.sha256(NEIGHBOUR_TOKEN.encode()).hexdigest()}"\n'
    )
    file.chmod(0o600)
    return file
