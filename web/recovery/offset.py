"""The offset of a recoverable client: how far it is in the runs that it watches. Pure.

Problem: a client of socket.io-client can be recovered (P3) by sending back one string, the last
argument of the last event that it received. The string has to say what the client has of several
runs at once, of which some ended, and must stay short.

Idea: an offset is `mark[,run:epoch:seq|,run:e]…[,+]`. It names each run of which the socket was
sent something and whose end its record in Redis does not have yet; `e`: sent to its end; `+`: there
were more runs than fit. `mark` says which of the record's later changes the socket was sent.

Invariant: offset and record together name every run of which the client has a part; of a run that
neither names, the client has what it had when it joined. docs/adr/0010 shows why this is enough.
"""

import re
from dataclasses import dataclass, field

RUNS_MAX = 32  # runs that one offset names
OFFSET_MAX = 2048  # characters; ours have at most about 1,100

RunPosition = tuple[int, int] | None  # (epoch, seq) of the last entry; None: to the run's end

_OFFSET = re.compile(r"\d{1,9}(?:,[\w-]{1,12}:(?:e|\d{1,9}:\d{1,12}))*(?:,\+)?")


def short(run_id: str) -> str:
    """How offsets and records name a run: the end of its id, unique within a socket's sessions."""
    return run_id[-12:]


@dataclass(frozen=True)
class Offset:
    """What a client has, by short run id. `complete`: no run is left out for want of room."""

    mark: int
    positions: dict[str, RunPosition] = field(default_factory=dict)
    complete: bool = True


def parse_offset(text: object) -> Offset | None:
    """The offset, or None if it is none of ours."""
    if not isinstance(text, str) or len(text) > OFFSET_MAX or not _OFFSET.fullmatch(text):
        return None
    mark, *parts = text.split(",")
    positions: dict[str, RunPosition] = {}
    for part in parts:
        run, _, position = part.partition(":")
        if position:
            epoch, _, seq = position.partition(":")
            positions[run] = (int(epoch), int(seq)) if seq else None
    return Offset(int(mark), positions, complete=parts[-1:] != ["+"])


def position_text(run: str, position: RunPosition) -> str:
    """The part of an offset that names this run."""
    return f"{run}:{position[0]}:{position[1]}" if position is not None else f"{run}:e"
