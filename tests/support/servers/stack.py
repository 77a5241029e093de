"""A whole Holdfast of real processes: servers, gateway, web, workers, maintenance, beat."""

from __future__ import annotations

import os
import re
import shutil
import signal
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from deploy.local.embedded_redis import RedisBinary
from deploy.local.ports import LOOPBACK, free_port
from shared.db.database import Database, Work
from shared.db.migrate import upgrade
from shared.db.models import MessageRow, RunRow
from shared.db.runs.attempts import attempts
from tests.support.gateways.demo_gateway import DemoGateway
from tests.support.servers.processes import Processes, RunningProcess, wait_for_http, wait_until
from tests.support.servers.redis_server import RedisServer

T = TypeVar("T")

TOKEN = "the-token-of-the-tests"
LOG_SHOWN = 5_000  # characters of each process when a test fails
# The variables that change what Holdfast does; the caller's own must not reach it.
OURS = re.compile(
    r"^(HOLDFAST_|HERMES_|AUTH_|JWT_|COOKIE_|REDIS_URL|DATABASE_URL|PORT$|PROFILES_FILE|TOKENS_FILE)"
)
ACCIDENT = re.compile(r"^(  \| )?Traceback|\b(ERROR|CRITICAL)\b", re.MULTILINE)


def with_short_wait(database_url: str, lease: object) -> str:
    """On SQLite a short lease needs a short wait for other writers (R35)."""
    if lease is None or not database_url.startswith("sqlite"):
        return database_url
    return f"{database_url}?timeout={float(str(lease)) / 10:g}"


class Stack:
    """Start with `start`, look at `url`, `gateway`, `db`; end with `stop`."""

    def __init__(
        self,
        *,
        database_url: str = "",
        web: int = 1,
        workers: int = 1,
        gateway: tuple[str, str] | None = None,
        profiles: Mapping[str, tuple[str, str]] | None = None,
        redis: RedisBinary | None = None,
        **settings: object,
    ) -> None:
        """`database_url`: empty for SQLite; `gateway`: URL and key of one that runs already, else a
        demo gateway is started; `profiles`: name -> URL and key; `redis`: what to start instead
        of the packaged server; `settings` are variables."""
        self.folder = Path(tempfile.mkdtemp(prefix="holdfast-stack-"))
        self.redis = RedisServer(redis)
        self._demo = None if gateway else DemoGateway.start(key="key-of-the-demo", max_runs=0)
        self.port = free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        self._database_url = with_short_wait(
            database_url or f"sqlite:///{self.folder / 'test.db'}", settings.get("LEASE_SECONDS")
        )
        url, key = gateway or (self.gateway.url, self.gateway.key)
        self.environment = {
            "HOLDFAST_HOME": str(self.folder),
            "PORT": str(self.port),
            "REDIS_URL": self.redis.url,
            "DATABASE_URL": self._database_url,
            "AUTH_TOKEN": TOKEN,
            "HERMES_URL": url,
            "HERMES_API_KEY": key,
            "HERMES_HOME": str(self.folder / "no-hermes"),
            "PROFILES_FILE": str(self._profiles(profiles or {})),
            **{name: str(value) for name, value in settings.items()},
        }
        self._counts = {"web": web, "worker": workers}
        self._processes = Processes(self.folder)
        self.web: list[RunningProcess] = []
        self.workers: list[RunningProcess] = []
        self.db = Database(self._database_url)

    @property
    def gateway(self) -> DemoGateway:
        """The demo gateway of this stack."""
        assert self._demo is not None, "this stack was given another gateway"
        return self._demo

    def start(self) -> Stack:
        """Prepare the database, start all roles at once, wait until all are ready."""
        upgrade(self._database_url)
        self.web = [self._start_web(n) for n in range(self._counts["web"])]
        self.workers = [self._start_worker(n) for n in range(self._counts["worker"])]
        self.maintenance = self._start("maintenance", "worker", "maintenance")
        self.beat = self._start("beat", "worker", "beat")
        others = [self.maintenance]
        for process in (*self.workers, *others):
            process.wait_for_log(" ready.", within=40)
        for process in self.web:
            process.wait_for_log("web.listening", within=40)
        wait_for_http(f"{self.url}/readyz", within=20)
        return self

    def stop(self) -> None:
        """End everything: first all roles at once, then what they stood on."""
        try:
            for process in self._processes.started:
                if process.returncode is None:
                    process.signal(signal.SIGTERM)
            for process in self._processes.started:
                process.wait()
        finally:
            self._processes.stop_all()
            self.db.close()
            if self._demo is not None:
                self._demo.stop()
            self.redis.stop()
            shutil.rmtree(self.folder, ignore_errors=True)

    def restart_web(self, number: int, how: signal.Signals = signal.SIGKILL) -> None:
        """End a web process and start it again on the same port; returns when it listens."""
        self.end_web(number, how)
        self.start_web(number)

    def end_web(self, number: int, how: signal.Signals = signal.SIGKILL) -> None:
        """End a web process."""
        self.web[number].signal(how)
        self.web[number].wait()

    def start_web(self, number: int) -> None:
        """Start a web process that has ended, on the same port; returns when it listens."""
        self.web[number] = self._start_web(number)
        self.web[number].wait_for_log("web.listening")

    def add_worker(self) -> RunningProcess:
        """One more worker, ready."""
        worker = self._start_worker(len(self.workers))
        self.workers.append(worker)
        worker.wait_for_log(" ready.", within=40)
        return worker

    def restart_beat(self) -> None:
        """Start a beat; an earlier one has ended."""
        self.beat = self._start(f"beat.{len(self._processes.started)}", "worker", "beat")

    def revive(self) -> int:
        """Start workers and maintenance again that have ended, as a supervisor would; how many."""
        ended = [n for n, worker in enumerate(self.workers) if worker.returncode is not None]
        for number in ended:
            self.workers[number] = self._start_worker(number)
        if self.maintenance.returncode is None:
            return len(ended)
        name = f"maintenance.{len(self._processes.started)}"
        self.maintenance = self._start(name, "worker", "maintenance")
        return len(ended) + 1

    def owner_of(self, run_id: str) -> RunningProcess:
        """The worker process that has the run."""
        name = self.run_row(run_id).worker or ""
        return next(worker for worker in self.workers if f":{worker.pid}:" in name)

    # --- what it wrote -------------------------------------------------------------------------

    def read(self, work: Work[T]) -> T:
        """The result of reading the database."""
        return self.db.read(work)

    def run_row(self, run_id: str) -> RunRow:
        """The row of a run, as it is now."""

        def work(tx: Session) -> RunRow:
            row = tx.get(RunRow, run_id)
            assert row is not None, run_id
            tx.expunge(row)
            return row

        return self.db.read(work)

    def messages(self, run_id: str) -> list[MessageRow]:
        """The stored messages of a run, in order."""

        def work(tx: Session) -> list[MessageRow]:
            wanted = select(MessageRow).where(MessageRow.run_id == run_id).order_by(MessageRow.idx)
            rows = list(tx.scalars(wanted))
            tx.expunge_all()
            return rows

        return self.db.read(work)

    def stored_answer(self, run_id: str) -> str:
        """The text of the stored assistant messages of a run."""
        return "".join(row.content for row in self.messages(run_id) if row.role == "assistant")

    def posts(self, run_id: str) -> list[dict[str, Any]]:
        """What the demo gateway was asked to do for this run, by the ids that Holdfast recorded."""
        ids = {a.ephemeral_id for a in self.db.read(lambda s: attempts(s, run_id))}
        return [r for r in self.gateway.record()["runs"] if r["session_id"] in ids]

    # --- how it is doing -----------------------------------------------------------------------

    def sockets(self, process: RunningProcess) -> int:
        """Established connections to the web port that a process holds."""
        port = f":{self.port:04X}"
        lines = Path(f"/proc/{process.pid}/net/tcp").read_text().splitlines()[1:]
        rows = [line.split() for line in lines]
        inodes = {f"socket:[{r[9]}]" for r in rows if r[1].endswith(port) and r[3] == "01"}
        links = [
            str(fd.readlink())
            for fd in Path(f"/proc/{process.pid}/fd").iterdir()
            if fd.is_symlink()
        ]
        return len(inodes.intersection(links))

    def wait_for_row(self, run_id: str, *, within: float = 60.0, **fields: object) -> RunRow:
        """The run's row once these fields have these values."""

        def row() -> RunRow | None:
            found = self.run_row(run_id)
            return found if all(getattr(found, n) == v for n, v in fields.items()) else None

        found = wait_until(row, within=within, what=f"{run_id} has {fields}")
        assert found is not None
        return found

    def accidents(self) -> list[str]:
        """Lines of the logs with unexpected errors."""
        return [
            f"{process.name}: {line}"
            for process in self._processes.started
            for line in process.log().splitlines()
            if ACCIDENT.search(line)
        ]

    def logs(self) -> str:
        """The end of what each process wrote."""
        shown = (f"--- {p.name}\n{p.log()[-LOG_SHOWN:]}" for p in self._processes.started)
        return "\n".join(shown)

    # --- starting ------------------------------------------------------------------------------

    def _profiles(self, profiles: Mapping[str, tuple[str, str]]) -> Path:
        tables = (
            f'[profiles.{name}]\nurl = "{url}"\napi_key = "{key}"\n'
            for name, (url, key) in profiles.items()
        )
        file = self.folder / "profiles.toml"
        file.write_text("".join(tables))
        return file

    def _start_web(self, number: int) -> RunningProcess:
        return self._start(f"web.{number}.{len(self._processes.started)}", "web")

    def _start_worker(self, number: int) -> RunningProcess:
        return self._start(f"worker.{number}.{len(self._processes.started)}", "worker", "runs")

    def start_command(
        self, name: str, command: Sequence[str], environment: Mapping[str, str]
    ) -> RunningProcess:
        """Start another program in the environment of the stack, with these variables on top."""
        return self._processes.start(name, tuple(command), self.environment_of(environment))

    def environment_of(self, variables: Mapping[str, str]) -> dict[str, str]:
        """The environment of its processes, with these variables on top."""
        blank = {variable: "" for variable in os.environ if OURS.match(variable)}
        return {**os.environ, **blank, **self.environment, **variables}

    def _start(self, name: str, *module: str) -> RunningProcess:
        blank = {variable: "" for variable in os.environ if OURS.match(variable)}
        return self._processes.start_module(
            name, *module, environment={**blank, **self.environment}
        )
