"""The system that is measured: all processes of the Procfile, each web process on its own port."""

from __future__ import annotations

import itertools
import json
import resource
import subprocess
import sys
from collections import Counter
from dataclasses import asdict
from typing import Any

from deploy.local.ports import LOOPBACK, free_port
from tests.bench.load.cpu import Pids
from tests.bench.load.plan import Found, Load, Plan
from tests.bench.load.timed_gateway import TimedGateway
from tests.support.paths import ROOT
from tests.support.servers.processes import RunningProcess
from tests.support.servers.stack import TOKEN, Stack

_numbers = itertools.count(1)


class MeasuredStack(Stack):
    """`start`, `through`, `direct`, `stop`."""

    def __init__(
        self, *, database_url: str = "", web: int = 1, workers: int = 1, **settings: Any
    ) -> None:
        _allow_many_files()
        self.source = TimedGateway.start(key="key-of-the-bench", max_runs=0)
        self.asked: Counter[str] = Counter()  # of the gateway, as far as it was looked at
        self._ports = [free_port() for _ in range(web)]
        super().__init__(
            database_url=database_url,
            web=web,
            workers=workers,
            gateway=(self.source.url, self.source.key),
            **settings,
        )
        self.port = self._ports[0]
        self.urls = [f"http://{LOOPBACK}:{port}" for port in self._ports]
        self.url = self.urls[0]

    def stop(self) -> None:
        """End everything, the gateway last."""
        try:
            super().stop()
        finally:
            self.source.stop()

    def pids(self) -> Pids:
        """The processes that carry tokens, by role."""
        return {
            "web": [process.pid for process in self.web],
            "worker": [process.pid for process in self.workers],
            "redis": [self.redis.pid],
            "gateway": [self.source.pid],
        }

    def through(
        self, load: Load, urls: list[str] | None = None, sessions: list[str] | None = None
    ) -> Found:
        """The load through Holdfast, in new sessions if none are named."""
        return self._read(load, self.urls if urls is None else urls, sessions)

    def direct(self, load: Load) -> Found:
        """The same load straight from the gateway."""
        return self._read(load, [])

    def _read(self, load: Load, urls: list[str], sessions: list[str] | None = None) -> Found:
        plan = Plan(
            load=load,
            gateway=self.source.url,
            key=self.source.key,
            urls=urls,
            token=TOKEN,
            pids=dict(self.pids()),
            sessions=sessions or [f"b{next(_numbers)}" for _ in range(load.runs)],
        )
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.load.client_process"],
            input=json.dumps(asdict(plan)),
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=False,
            timeout=plan.deadline + 60,
        )
        assert done.returncode == 0, done.stderr
        return Found(**json.loads(done.stdout))

    def _start_web(self, number: int) -> RunningProcess:
        self.environment["PORT"] = str(self._ports[number])
        return super()._start_web(number)


def _allow_many_files() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
