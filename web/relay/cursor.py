"""Where this process stands in a run's log, and what follows from what it hears or reads. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from shared.event_log.store import LogView
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
    """Entries to deliver now, and what else."""

    entries: Sequence[bytes] = field(default=())
    action: Action = Action.NOTHING


DROP = Step()


def receive(cursor: RelayCursor, ring: LogAppended) -> Step:
    """Take a doorbell into account; moves the cursor over what is to be delivered."""
    last = ring.first + len(ring.entries) - 1
    if cursor.ended or (ring.epoch, ring.fence) < (cursor.epoch, cursor.fence):
        return DROP  # an old owner's, or one that comes late
    if ring.epoch > cursor.epoch or ring.first > cursor.seq + 1:
        return Step(action=Action.READ)
    cursor.fence = ring.fence
    if last > cursor.seq:
        entries: Sequence[bytes] = ring.entries[cursor.seq + 1 - ring.first :]
        cursor.seq = last
    else:
        # An end fixed below what was shown is told all the same: nobody may wait for ever.
        entries = ring.entries if ring.ended else ()
    cursor.ended = ring.ended
    return Step(entries)


def receive_reinstall(cursor: RelayCursor, notice: LogReinstalled) -> Step:
    """A log was written anew: the same seqs go on, or a new epoch begins."""
    behind = notice.epoch > cursor.epoch or notice.head > cursor.seq
    return Step(action=Action.READ) if behind and not cursor.ended else DROP


def read(cursor: RelayCursor, view: LogView) -> Step:
    """Take a reading of the log into account; the cursor then stands at its head."""
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
    """Stand at the head of the log as it was read."""
    cursor.epoch, cursor.fence = view.epoch, view.fence
    cursor.seq, cursor.ended = view.head, view.ended
