"""What a live run's log says, when it is asked for again and again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from shared.event_log.keys import RunKeys
from shared.event_log.types import LogView
from tests.support.web_stand import OWNER, WebStand
from tests.support.web_stand import LiveRun as Owner
from web.api.http import live_run
from web.api.http.live_run import LiveRun, LiveRuns


class Reads:
    """How many entries each reading of the log took."""

    def __init__(self, stand: WebStand, monkeypatch: pytest.MonkeyPatch) -> None:
        self.entries: list[int] = []
        read = stand.log.read

        def counted(wanted: Sequence[tuple[RunKeys, int]]) -> list[LogView | None]:
            views = read(wanted)
            self.entries += [len(view.entries) for view in views if view is not None]
            return views

        monkeypatch.setattr(stand.log, "read", counted)


@pytest.fixture
def reads(stand: WebStand, monkeypatch: pytest.MonkeyPatch) -> Reads:
    return Reads(stand, monkeypatch)


@pytest.fixture
def run(stand: WebStand) -> Owner:
    """A live run that has said a thousand words."""
    live = stand.begin("s")
    live.append("run.started")
    live.say(*"x" * 1000)
    return live


@pytest.fixture
def runs(stand: WebStand) -> LiveRuns:
    return LiveRuns(stand.db, stand.log)


def look(runs: LiveRuns, run: Owner) -> LiveRun:
    return runs.look(OWNER, "s", run.keys.run_id)


def asks(run: Owner, **fields: Any) -> int:
    """The agent asks; the id of its question."""
    run.append("approval.request", command="ls", **fields)
    return run.head


def test_only_what_came_since_is_read(runs: LiveRuns, run: Owner, reads: Reads) -> None:
    assert look(runs, run) == LiveRun(last_event="run.started")
    assert look(runs, run) == LiveRun(last_event="run.started")
    run.say("y", "z")
    assert look(runs, run) == LiveRun(last_event="run.started")
    first, second = asks(run), asks(run)
    assert look(runs, run) == LiveRun(waits=True, last_event="approval.request")
    assert look(runs, run) == LiveRun(waits=True, last_event="approval.request")
    run.append("approval.responded", approval_id=first, choice="once")
    assert look(runs, run) == LiveRun(waits=True, last_event="approval.responded")
    run.append("approval.responded", approval_id=second, choice="once")
    assert look(runs, run) == LiveRun(last_event="approval.responded")
    assert reads.entries == [1001, 0, 2, 2, 0, 1, 1]


def test_a_log_of_a_new_epoch_is_read_as_a_whole(
    stand: WebStand, runs: LiveRuns, run: Owner
) -> None:
    asks(run)
    assert look(runs, run).waits
    stand.commands.delete(run.keys.meta, run.keys.log, run.keys.live)
    assert look(runs, run) == LiveRun()
    anew = Owner(stand.log, run.keys, fence=2, epoch=2)
    anew.append("run.reattached")
    anew.say(*"y" * 2000)
    assert look(runs, anew) == LiveRun(last_event="run.reattached")


def test_a_log_that_is_trimmed_beyond_what_was_read_is_read_as_a_whole(
    stand: WebStand, runs: LiveRuns, run: Owner, reads: Reads
) -> None:
    look(runs, run)
    asks(run)
    run.say("y")
    stand.commands.xtrim(run.keys.log, minid=f"{run.head}-0", approximate=False)
    stand.commands.hset(run.keys.meta, "base", run.head - 1)
    assert look(runs, run) == LiveRun()
    assert reads.entries == [1001, 1, 1]


def test_the_runs_that_were_asked_for_last_are_remembered(
    stand: WebStand, runs: LiveRuns, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_run, "REMEMBERED", 2)
    lives = [stand.begin(session) for session in "abc"]
    for live in lives:
        live.append("run.started")
    for which in (0, 1, 0, 2, 0, 1):
        runs.look(OWNER, "abc"[which], lives[which].keys.run_id)
    assert reads.entries == [1, 1, 0, 1, 0, 1]
