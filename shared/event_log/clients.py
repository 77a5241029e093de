"""The two kinds of Redis client, each with the timeouts that its use needs."""

from typing import Any

from redis import BlockingConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry

from shared.redis_readiness import ask_without_waiting

__all__ = [
    "Commands",
    "RedisError",
    "ResponseError",
    "command_client",
    "database_of",
    "pubsub_client",
]

Commands = Redis

ask_without_waiting()

TCP: dict[str, Any] = {"socket_keepalive": True, "socket_connect_timeout": 3}


def tcp_options(url: str) -> dict[str, Any]:
    """Return the options of a connection that a socket of the file system does not have."""
    return {} if url.startswith("unix:") else TCP


def command_client(url: str, *, connections: int = 32, timeout: float = 5.0) -> Commands:
    """Make a client for short commands, with at most `connections`; `timeout` is in seconds.

    It does not retry: only the callers know which commands may be sent twice. A caller waits for a
    free connection instead of getting an error.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=connections,
        timeout=timeout,
        socket_timeout=timeout,
        health_check_interval=25,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
        **tcp_options(url),
    )
    return Redis(connection_pool=pool)


def database_of(redis: Commands) -> int:
    """Return the number of the database that the client uses."""
    return int(redis.connection_pool.connection_kwargs.get("db") or 0)


def pubsub_client(url: str) -> Commands:
    """Make a client for one subscriber. RESP2, which has no push messages of other kinds."""
    return Redis.from_url(
        url,
        socket_timeout=10,
        health_check_interval=5,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
        **tcp_options(url),
    )
