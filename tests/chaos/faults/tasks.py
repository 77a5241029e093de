"""Celery's messages are lost, or delivered twice."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import redis
from sqlalchemy import text

from tests.chaos.faults.base import Fault

if TYPE_CHECKING:
    from tests.chaos.stage import Stage

QUEUES = ("hf:celery:runs", "hf:celery:takeover")


class MessagesLost(Fault):
    """Whatever lies in the queues is taken away, for a while."""

    resource, weight = "tasks", 2

    def inject(self, stage: Stage) -> None:
        lost, deadline = 0, time.monotonic() + 1.5
        with stage.command() as client:
            while time.monotonic() < deadline:
                try:
                    lost += sum(client.lpop(queue) is not None for queue in QUEUES)
                except redis.RedisError:
                    time.sleep(0.1)
        self.detail = f"{lost} messages"


class MessagesDoubled(Fault):
    """Every open run is enqueued again, and again."""

    resource, weight = "tasks", 3

    def inject(self, stage: Stage) -> None:
        from shared.settings import Settings
        from shared.task_queue import TaskQueue, celery_app

        wanted = text("SELECT id FROM runs WHERE ended_at IS NULL")
        runs = stage.read(lambda session: list(session.scalars(wanted)))
        with celery_app(Settings.load(stage.environment)) as app:
            for run_id in [*runs, *runs]:
                TaskQueue(app).run_turn(run_id)
        self.detail = f"{len(runs)} runs twice"
