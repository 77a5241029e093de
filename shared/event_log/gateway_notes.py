"""What workers have found out about gateways, for web processes, which do not ask them."""

from redis.exceptions import RedisError

from shared.errors import RedisUnavailable
from shared.event_log.clients import Commands
from shared.event_log.keys import WITHOUT_TRANSCRIPT


class GatewayNotes:
    """Kept in Redis; lost with it, and written again by the workers' next checks.

    All methods raise RedisUnavailable.
    """

    def __init__(self, redis: Commands) -> None:
        self._redis = redis

    def note_transcript(self, profile: str, *, given: bool) -> None:
        """Note whether the profile's gateway gives its transcripts."""
        try:
            if given:
                self._redis.srem(WITHOUT_TRANSCRIPT, profile)
            else:
                self._redis.sadd(WITHOUT_TRANSCRIPT, profile)
        except RedisError as error:
            raise RedisUnavailable() from error

    def without_transcript(self) -> frozenset[str]:
        """Return the profiles whose gateways do not."""
        try:
            found = self._redis.smembers(WITHOUT_TRANSCRIPT)
        except RedisError as error:
            raise RedisUnavailable() from error
        return frozenset(_text(name) for name in found)


def _text(name: bytes | str) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else name
