"""What the gap check finds when one of the log's servers does not answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from shared.errors import RedisUnavailable
from shared.event_log.shards import shard_of
from shared.event_log.types import KnownRuns
from web.relay.cursor import RelayCursor
from web.relay.feed import Feed
from web.relay.feed_address import FeedAddress
from web.relay.gap_check import note_behind


class Server:
    """A log's server whose heads are these, by run id."""

    def __init__(self, heads: dict[str, tuple[int, int] | None]) -> None:
        self._heads = heads

    def known(self, tags: Sequence[str]) -> list[KnownRuns]:
        return [KnownRuns([], []) for _ in tags]

    def heads(self, runs: Sequence[Any]) -> list[tuple[int, int] | None]:
        return [self._heads[keys.run_id] for keys in runs]


class Silent(Server):
    """A server that does not answer."""

    def known(self, tags: Sequence[str]) -> list[KnownRuns]:
        raise RedisUnavailable


def feed_on(server: int, *run_ids: str) -> Feed:
    """A feed whose logs are on that one of two servers, at seq 3 of these runs."""
    addresses = (FeedAddress("owner", f"session-{number}") for number in range(100))
    address = next(one for one in addresses if shard_of(one.tag, 2) == server)
    feed = Feed(address, address.tag)
    feed.cursors = {run_id: RelayCursor(epoch=1, seq=3) for run_id in run_ids}
    return feed


@pytest.mark.parametrize("silent", [0, 1])
def test_what_the_other_server_lacks_is_found(silent: int) -> None:
    other = feed_on(1 - silent, "lost", "behind", "whole", "over")
    other.cursors["over"].ended = True
    server = Server({"lost": None, "behind": (1, 4), "whole": (1, 3)})
    servers: list[Any] = [server, server]
    servers[silent] = Silent({})
    without_log: list[str] = []
    with pytest.raises(RedisUnavailable):
        note_behind(servers, [feed_on(silent, "unknown"), other], without_log)
    assert without_log == ["lost"]
    assert other.behind == {"behind"}
