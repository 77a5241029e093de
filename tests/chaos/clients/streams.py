"""Readers of event streams (SSE), one for each session; each comes back by itself."""

from __future__ import annotations

from collections.abc import Sequence

from tests.chaos.evidence.evidence import Row
from tests.support.http_api import ApiClient, SessionFollower


class Streams:
    """Read in threads until `close`."""

    def __init__(self, api: ApiClient, sessions: Sequence[str]) -> None:
        self._followers = {name: SessionFollower(api, name) for name in sessions}

    def received(self) -> dict[str, list[Row]]:
        """The events that have a place in the stream, with it as `id`, by session; an event
        `refused` for each time that a reader was not let in."""
        return {name: _events(follower) for name, follower in self._followers.items()}

    def close(self) -> None:
        """All readers leave, at the next comment of the server at the latest."""
        for follower in self._followers.values():
            follower.leave()


def _events(follower: SessionFollower) -> list[Row]:
    refused = follower.opened - follower.joined
    events = [{**frame.event, "id": frame.id} for frame in follower.placed]
    return events + [{"event": "refused"}] * refused
