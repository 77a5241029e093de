"""What goes into the log of a run, and what comes back. Values; nothing of Redis."""

from dataclasses import dataclass
from enum import StrEnum

from shared.event_log.keys import RunKeys


class Status(StrEnum):
    """What a script answered."""

    OK = "OK"
    GONE = "GONE"
    NOLOG = "NOLOG"
    FENCED = "FENCED"
    MISMATCH = "MISMATCH"
    ENDED = "ENDED"
    ALREADY = "ALREADY"


@dataclass(frozen=True)
class Batch:
    """Entries head+1 … of a run, frozen: sent again they are the same bytes (R16)."""

    keys: RunKeys
    fence: int
    head: int
    entries: tuple[bytes, ...]


@dataclass(frozen=True)
class Append:
    """The answer to one batch; `head` is the log's last seq, where the script told it."""

    status: Status
    head: int | None = None


@dataclass(frozen=True)
class Installed:
    """The answer to an install."""

    status: Status
    head: int = 0


@dataclass(frozen=True)
class LogView:
    """A run's log at one moment. `entries[0]` has seq `first`; before it stands the checkpoint."""

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
class Known:
    """Runs of a session: with a log and no announced end; and the newest ends, oldest first."""

    live: list[str]
    ended: list[str]
