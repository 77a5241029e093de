"""Redis goes away, forgets, or cuts connections."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from tests.chaos.faults.base import Fault

if TYPE_CHECKING:
    from tests.chaos.stage import Stage

BUSY = """
local began = redis.call('TIME')
repeat
  local now = redis.call('TIME')
  local passed = (now[1] - began[1]) * 1000 + (now[2] - began[2]) / 1000
until passed > tonumber(ARGV[1])
"""


class RedisTerminated(Fault):
    """A clean restart with the append-only file: nothing is lost."""

    resource, weight = "redis", 2
    holds = (0.2, 3.0)

    def inject(self, stage: Stage) -> None:
        stage.redis.terminate()

    def heal(self, stage: Stage) -> None:
        stage.redis.restart()


class RedisKilled(Fault):
    """SIGKILL under `appendfsync everysec`; the file is written by the kernel, so it is whole."""

    resource, weight = "redis", 2
    holds = (0.2, 3.0)

    def inject(self, stage: Stage) -> None:
        stage.redis.kill()

    def heal(self, stage: Stage) -> None:
        stage.redis.restart()


class RedisFrozen(Fault):
    """Frozen: connections stay open without answers."""

    resource = "redis"
    holds = (0.5, 3.0)

    def inject(self, stage: Stage) -> None:
        self.pid = stage.redis.pid
        os.kill(self.pid, signal.SIGSTOP)

    def heal(self, stage: Stage) -> None:
        os.kill(self.pid, signal.SIGCONT)


class RedisSlow(Fault):
    """Every command waits."""

    resource = "redis"

    def inject(self, stage: Stage) -> None:
        with stage.command() as client:
            client.execute_command("CLIENT", "PAUSE", 300 + self.number, "ALL")


class RedisFlushed(Fault):
    """FLUSHALL while the owners live: they fill the logs again."""

    resource, weight = "redis", 1

    def inject(self, stage: Stage) -> None:
        stage.redis.flush()


class PubsubCut(Fault):
    """CLIENT KILL TYPE pubsub: notifications that are published meanwhile are lost."""

    resource, weight = "redis", 4

    def inject(self, stage: Stage) -> None:
        with stage.command() as client:
            client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")


class ConnectionsCut(Fault):
    """CLIENT KILL TYPE normal: commands and Celery's own connections."""

    resource, weight = "redis", 3

    def inject(self, stage: Stage) -> None:
        with stage.command() as client:
            client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


class BufferCut(Fault):
    """The output buffer for subscribers is too small: Redis cuts them off without a word."""

    resource = "redis"
    holds = (0.5, 1.5)

    def inject(self, stage: Stage) -> None:
        _configure(stage, "client-output-buffer-limit", "pubsub 1 1 0")

    def heal(self, stage: Stage) -> None:
        _configure(stage, "client-output-buffer-limit", "pubsub 268435456 67108864 60")


class RedisFull(Fault):
    """No memory is left for it: it refuses whatever needs more."""

    resource, weight = "redis", 2
    holds = (0.3, 3.0)

    def inject(self, stage: Stage) -> None:
        _configure(stage, "maxmemory", "1")

    def heal(self, stage: Stage) -> None:
        _configure(stage, "maxmemory", "0")


class RedisNeighbour(Fault):
    """Another application on the same Redis: it empties the cache of scripts, is busy, talks, and
    writes."""

    resource, weight = "redis", 3

    def inject(self, stage: Stage) -> None:
        milliseconds = 200 + self.number // 2
        with stage.command() as client:
            client.script_flush()
            client.eval(BUSY, 0, milliseconds)
            pipeline = client.pipeline(transaction=False)
            for number in range(2_000):
                pipeline.publish("neighbour:news", "x" * 100)
                pipeline.set(f"neighbour:{number}", "x" * 1_000, ex=60)
            pipeline.rpush("celery", "a message of the neighbour's own Celery")
            pipeline.expire("celery", 60)
            pipeline.execute()
        self.detail = f"busy for {milliseconds} ms"


def _configure(stage: Stage, name: str, value: str) -> None:
    with stage.command() as client:
        client.config_set(name, value)
