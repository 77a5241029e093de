"""What rows and logs together say about runs."""

from __future__ import annotations

import pytest

from shared.db.sessions.read import RunInfo
from shared.event_log.types import LogView
from shared.protocol.run_states import RunState
from web.relay.feed import Feed
from web.relay.feed_address import FeedAddress
from web.resume.log_state import misses_end

OPEN = {"r": RunInfo("r", RunState.RUNNING, 1, False)}
ENDED = {"r": RunInfo("r", RunState.COMPLETED, 1, True)}


@pytest.mark.parametrize(("runs", "misses"), [({}, True), (OPEN, True), (ENDED, False)])
@pytest.mark.parametrize("known_by", ["registry", "log"])
def test_rows_that_are_older_than_an_end_miss_it(
    runs: dict[str, RunInfo], misses: bool, known_by: str
) -> None:
    feed = Feed(FeedAddress("o", "s"), "tag")
    views = []
    if known_by == "registry":
        feed.note_recent_ends(["r"])
    else:  # it ended between the looks at the registry and at the log
        views = [LogView("r", 1, 1, 3, base=0, ended=True, first=1, entries=[], checkpoint=None)]
    assert misses_end(feed, runs, views) is misses


def test_a_live_run_misses_no_end() -> None:
    assert not misses_end(Feed(FeedAddress("o", "s"), "tag"), OPEN, [])
