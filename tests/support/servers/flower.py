"""The real Flower at a stack, as `holdfast flower` starts it."""

from __future__ import annotations

import sys
from typing import Any

import requests

from deploy.local.ports import LOOPBACK, free_port
from shared.task_queue import RUN_TURN
from tests.support.servers.processes import RunningProcess, wait_for_http, wait_until
from tests.support.servers.stack import TOKEN, Stack


class Flower:
    """Flower at a stack, behind a prefix."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._port = free_port()
        self.url = f"http://{LOOPBACK}:{self._port}/queues"
        self.process = self.start()

    def start(self) -> RunningProcess:
        """Start it, and wait until it answers."""
        environment = {"FLOWER_PORT": str(self._port), "FLOWER_URL_PREFIX": "queues"}
        started = self._stack.start_command(
            "flower", (sys.executable, "-m", "deploy.cli", "flower"), environment
        )
        wait_for_http(f"{self.url}/healthcheck", within=40)
        return started

    def tasks(self) -> list[dict[str, Any]]:
        """All tasks that it knows."""
        answer = requests.get(f"{self.url}/api/tasks", auth=("holdfast", TOKEN), timeout=10)
        answer.raise_for_status()
        return list(answer.json().values())

    def run(self, run_id: str, state: str, task: str = RUN_TURN) -> dict[str, Any]:
        """The task of this name that had the run, once it is in this state."""

        def found() -> dict[str, Any] | None:
            of_run = [one for one in self.tasks() if one["name"] == task and run_id in one["args"]]
            return next((one for one in of_run if one["state"] == state), None)

        one = wait_until(found, within=20, every=0.2, what=f"{task} of {run_id} is {state}")
        assert one is not None
        return one
