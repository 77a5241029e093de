"""What goes into the log of a run, and what comes back. Values only; pure."""

from dataclasses import dataclass
from enum import StrEnum

from shared.event_log.keys import RunKeys


class Status(StrEnum):
    """The first word of a script's answer."""

    OK = "OK"
    GONE = "GONE"  # the log cannot be continued
    NOLOG = "NOLOG"  # there is no log: Redis lost it, or it was never installed
    FENCED = "FENCED"  # a later owner has the log
    MISMATCH = "MISMATCH"  # the log does not end where the writer expects
    ENDED = "ENDED"  # the end of the run was announced
    ALREADY = "ALREADY"  # the end was announced before


@dataclass(frozen=True)
class Batch:
    """Entries head+1 … of a run, frozen: when it is sent again, it is the same bytes (R16)."""

    keys: RunKeys
    fence: int
    head: int
    entries: tuple[bytes, ...]


@dataclass(frozen=True)
class Append:
    """The answer to one batch; `head`: the last seq of the log, if the answer has it."""

    status: Status
    head: int | None = None


@dataclass(frozen=True)
class Installed:
    """The answer to an install."""

    status: Status
    head: int = 0


@dataclass(frozen=True)
class LogView:
    """The log of a run at one moment. `entries[0]` has the seq `first`; `checkpoint` is the fold of
    the entries up to `base`."""

    run_id: str
    epoch: int
    fence: int
    head: int
    base: int
    ended: bool
    first: int
    entries: list[bytes]
    checkpoint: bytes | None


@dataclass(frozen=True)
class KnownRuns:
    """Runs of a session. `live`: with a log and without an announced end. `ended`: those that ended
    recently, oldest first."""

    live: list[str]
    ended: list[str]
