"""What a load costs in Redis: bytes that logs take, bytes that went over the network."""

from __future__ import annotations

from typing import Any, Self

from shared.event_log.keys import PREFIX
from tests.support.servers.redis_server import RedisServer


class RedisCost:
    """A block around a load; afterwards `per` gives the result."""

    def __init__(self, server: RedisServer) -> None:
        self._server = server
        self._before: dict[str, float] = {}
        self._after: dict[str, float] = {}

    def __enter__(self) -> Self:
        self._before = self._look()
        return self

    def __exit__(self, *_: object) -> None:
        self._after = self._look()

    def per(self, tokens: int) -> dict[str, float]:
        """Bytes per token."""
        return {name: (value - self._before[name]) / tokens for name, value in self._after.items()}

    def _look(self) -> dict[str, float]:
        with self._server.client() as redis:
            stats: Any = redis.info("stats")
            logs = redis.scan_iter(f"{PREFIX}:*:log:*", count=1000)
            held = sum(redis.memory_usage(key) or 0 for key in logs)
        return {
            "redis log bytes": float(held),
            "redis in bytes": float(stats["total_net_input_bytes"]),
            "redis out bytes": float(stats["total_net_output_bytes"]),
        }
