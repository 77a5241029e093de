"""What rows and logs together say about the runs of a session. Pure."""

from collections.abc import Mapping, Sequence

from shared.db.sessions.read import RunInfo
from shared.event_log.types import LogView
from web.relay.feed import Feed


def positions(views: Sequence[LogView]) -> dict[str, tuple[int, int]]:
    """Epoch and head of the logs of live runs, by run id."""
    return {view.run_id: (view.epoch, view.head) for view in views if not view.ended}


def ended_runs(runs: Mapping[str, RunInfo]) -> list[str]:
    """The runs whose end is stored."""
    return [run.id for run in runs.values() if not run.is_open]


def misses_end(feed: Feed, runs: Mapping[str, RunInfo], views: Sequence[LogView]) -> bool:
    """Whether a run that had ended when the logs were read, or a moment before, is open in these
    rows, or not in them: they are older, and who is shown them would lack all of that run."""
    ended = [*feed.recent_ends, *(view.run_id for view in views if view.ended)]
    return any(run_id not in runs or runs[run_id].is_open for run_id in ended)


def lacks_log(feed: Feed, runs: Mapping[str, RunInfo], views: Sequence[LogView]) -> bool:
    """Whether members have entries of an open run whose log is not there, as after a flush of
    Redis. A socket that joins then has not seen the run's beginning, and needs a resync once the
    run's owner has written its log anew."""
    there = {view.run_id for view in views}
    return any(
        cursor.seq and not cursor.ended and run_id not in there and runs[run_id].is_open
        for run_id, cursor in feed.cursors.items()
        if run_id in runs
    )
