"""How far the members of a feed are in a run's log, and what a notification or a reading changes.

Problem: the same entries arrive by two ways, as notifications and by reading the log, from owners
of which an older one may still write, in epochs of which each begins at seq 1 again.

Idea: a cursor holds (epoch, seq, fence) of the last delivered entry. Every input is reduced to a
`Step`: the entries beyond the cursor, and whether the log must be read or the session resynced.

Invariant: a step's entries start at cursor.seq + 1 and the cursor stands behind them afterwards;
an older epoch or fence never moves it. The one exception is an end that was fixed below what had
been delivered: it is delivered all the same, since clients wait for it. Pure: no input or output.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from shared.event_log.types import LogView
from shared.protocol.events import LogAppended, LogReinstalled


class Action(Enum):
    """What to do besides delivering entries."""

    NOTHING = "nothing"
    READ = "read"  # something is missing: read the log
    RESYNC = "resync"  # what members have cannot be continued


@dataclass(slots=True)
class RelayCursor:
    """The last entry that members got: `seq` within `epoch`, written by the owner `fence`."""

    epoch: int
    seq: int = 0
    fence: int = 0
    ended: bool = False


@dataclass(frozen=True)
class Step:
    """Entries to deliver now, and what else to do."""

    entries: Sequence[bytes] = field(default=())
    action: Action = Action.NOTHING


DROP = Step()


def receive(cursor: RelayCursor, appended: LogAppended) -> Step:
    """Take a notification into account; moves the cursor over what is to be delivered."""
    last = appended.first + len(appended.entries) - 1
    if cursor.ended or (appended.epoch, appended.fence) < (cursor.epoch, cursor.fence):
        return DROP  # of an owner that was taken over, or late
    if appended.epoch > cursor.epoch or appended.first > cursor.seq + 1:
        return Step(action=Action.READ)
    cursor.fence = appended.fence
    if last > cursor.seq:
        entries: Sequence[bytes] = appended.entries[cursor.seq + 1 - appended.first :]
        cursor.seq = last
    else:
        # An end that was fixed below what was delivered still has to reach the clients.
        entries = appended.entries if appended.ended else ()
    cursor.ended = appended.ended
    return Step(entries)


def receive_reinstall(cursor: RelayCursor, reinstalled: LogReinstalled) -> Step:
    """A log was written anew: the same seqs go on, or a new epoch begins."""
    behind = reinstalled.epoch > cursor.epoch or reinstalled.head > cursor.seq
    return Step(action=Action.READ) if behind and not cursor.ended else DROP


def read(cursor: RelayCursor, view: LogView) -> Step:
    """Take a reading of the log into account; moves the cursor to its head."""
    if cursor.ended or view.epoch < cursor.epoch:
        return DROP
    continues = view.epoch == cursor.epoch and view.first <= cursor.seq + 1
    if continues and view.head > cursor.seq:
        entries: Sequence[bytes] = view.entries[cursor.seq + 1 - view.first :]
    else:
        entries = view.entries[-1:] if view.ended else ()
    snap_to_head(cursor, view)
    return Step(entries, Action.NOTHING if continues else Action.RESYNC)


def snap_to_head(cursor: RelayCursor, view: LogView) -> None:
    """Move the cursor to the head of the log as it was read."""
    cursor.epoch, cursor.fence = view.epoch, view.fence
    cursor.seq, cursor.ended = view.head, view.ended
