"""Names what a feed is about."""

from dataclasses import dataclass

from shared.event_log.keys import RunKeys, feed_tag


@dataclass(frozen=True)
class FeedAddress:
    """A session of an owner; or, without session, one run of an owner (R32)."""

    owner: str
    session_id: str | None
    run_id: str | None = None

    @property
    def tag(self) -> str:
        """Its name in Redis."""
        return feed_tag(self.owner, self.session_id, self.run_id or "")

    def keys(self, run_id: str) -> RunKeys:
        """The log of one of its runs."""
        return RunKeys(self.tag, run_id)
