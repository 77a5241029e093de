"""What there is to say of a session's gateway (`notices` of `resumed`)."""

import logging
import time
from collections.abc import Callable

from shared.errors import RedisUnavailable
from shared.hermes.missing_transcript import notice
from shared.protocol.events import Payload

log = logging.getLogger(__name__)

ASK_EVERY = 10.0  # seconds; what a `resume` costs does not depend on it


class Notices:
    """Knows which profiles there is something to say of, from notes that workers write."""

    def __init__(self, without_transcript: Callable[[], frozenset[str]]) -> None:
        """`without_transcript` may raise RedisUnavailable: nothing new is known then."""
        self._read = without_transcript
        self._known: frozenset[str] = frozenset()
        self._read_at: float | None = None

    def of(self, profile: str) -> list[Payload]:
        """Return the notices of sessions of this profile. Does not raise."""
        now = time.monotonic()
        if self._read_at is None or now - self._read_at > ASK_EVERY:
            self._read_at = now
            try:
                self._known = self._read()
            except RedisUnavailable:
                log.info("notices.unread")
        return [notice(profile)] if profile in self._known else []


def no_notices(_: str) -> list[Payload]:
    """Nothing to say of any profile."""
    return []
