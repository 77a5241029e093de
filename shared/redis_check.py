"""Says when a process starts whether Holdfast can use its Redis servers.

Without it, a server that lacks a command, or is none of its kind, would look like one that fails
now and then. A server that does not answer is not judged: it may only be away.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, RedisError
from redis.retry import Retry

from shared.errors import SettingsError
from shared.event_log.clients import tcp_options
from shared.settings import Settings

#: The first version in which XTRIM has MINID and XRANGE begins behind an entry. Valkey is newer.
OLDEST: Final = (6, 2)
TOO_OLD: Final = "too old: Holdfast needs 6.2 or later, or Valkey"
REFUSED: Final = "has no password, and refuses the one in its address"
WAIT: Final = 1.0  # seconds for connecting, and for the answer
UNUSABLE_MODES: Final = {
    "sentinel": "is a Sentinel, which holds no data; Holdfast does not ask Sentinels: give the "
    "address of the server, or of a proxy that leads to it after a failover",
    "cluster": "is a node of a Redis Cluster, which spreads keys that Holdfast needs together: use "
    "plain servers; LOG_REDIS_URLS spreads the logs over several",
}


def require_usable(settings: Settings) -> None:
    """Ask each server once. Raises SettingsError with a line for each that cannot be used."""
    faults = [f"{name}: {fault}" for name, url in _named(settings) if (fault := _fault_at(url))]
    if faults:
        raise SettingsError(faults)


def fault_of(server: Mapping[str, Any]) -> str | None:
    """Return why Holdfast cannot use the server that answers `INFO server` so; None if it can."""
    mode = str(server.get("redis_mode") or server.get("server_mode"))  # Valkey has the second
    if mode in UNUSABLE_MODES:
        return UNUSABLE_MODES[mode]
    version = str(server.get("redis_version", ""))
    return None if is_new_enough(version) else f"is Redis {version}, which is {TOO_OLD}"


def is_new_enough(version: str) -> bool:
    """Whether a version like "6.2.14" has all commands. One that is no number is trusted."""
    numbers = version.split(".")[:2]
    return not all(n.isdecimal() for n in numbers) or tuple(map(int, numbers)) >= OLDEST


def _named(settings: Settings) -> Iterator[tuple[str, str]]:
    yield "REDIS_URL", settings.redis_url
    for number, url in enumerate(settings.log_redis_urls, 1):
        yield f"LOG_REDIS_URLS, address {number}", url


def _fault_at(url: str) -> str | None:
    try:
        return fault_of(_asked(url))
    except AuthenticationError:
        return _fault_without_credentials(url)
    except (RedisError, OSError, ValueError):  # the last two: certificates that are not there
        return None


def _fault_without_credentials(url: str) -> str | None:
    """A server without a password refuses one; a Sentinel often has none where its server does."""
    parts = urlsplit(url)
    try:
        server = _asked(parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl())
    except (RedisError, OSError, ValueError):
        return None  # it wants a password, and may get this one in a moment
    return fault_of(server) or REFUSED


def _asked(url: str) -> Mapping[str, Any]:
    options = tcp_options(url) | {"socket_timeout": WAIT, "retry": Retry(NoBackoff(), 0)}
    if "socket_connect_timeout" in options:
        options["socket_connect_timeout"] = WAIT
    with Redis.from_url(url, protocol=2, **options) as client:
        server: Mapping[str, Any] = client.info("server")
        return server
