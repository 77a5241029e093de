"""One socket's offset and its record, as they change with what the socket is sent. Pure.

The record is a hash in Redis (`shared/event_log/keys.py`). Its fields, which processes of other
versions read too: `f:<tag>` a join, `m:<tag>:<run id>` a muted run, `x:<run>` an end with its mark,
`base` what the socket had when it was last recovered, `first` the first valid mark.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypedDict

from web.recovery.offset import RUNS_MAX, Offset, position_text, short
from web.relay.feed_address import FeedAddress

RUNS_IN_RECORD = 64  # ended and muted runs, each
FEEDS_IN_RECORD = 200  # sessions


class JoinField(TypedDict):
    """The value of a field `f:<tag>`. Keys are as older processes write them: session id, run id,
    positions at the join, runs of which nothing is needed, the event that shows the session (empty:
    none), and the mark that this event carries."""

    s: str | None
    r: str | None
    at: dict[str, tuple[int, int]]
    seen: list[str]
    told: str
    k: int


class OffsetTracker:
    """What one socket's offsets say, and what its record in Redis says."""

    def __init__(
        self,
        pid: str,
        record: dict[str, str],
        offset: Offset,
        on_change: Callable[[], None],
    ) -> None:
        """`record` and `offset` are what it begins with. `on_change` is called when the record has
        changed in a way that may be saved a moment later."""
        self.pid = pid
        self.record = record
        self.touched = set(record)  # fields that Redis does not have yet, or still has
        self.ends_unsaved: list[tuple[str, int]] = []
        self.is_named = False  # Redis knows that the pid is this socket's
        self._on_change = on_change
        self._mark = offset.mark
        self._count = offset.mark + 1  # a join that was not answered may have that one
        self._positions = {run: position_text(run, at) for run, at in offset.positions.items()}

    def offset(self) -> str:
        """What the socket has now."""
        positions = list(self._positions.values())
        more = ["+"] if len(positions) > RUNS_MAX else []
        return ",".join([str(self._mark), *positions[:RUNS_MAX], *more])

    def advanced(self, run: str, position: str) -> str:
        """The offset of an event at this position of a run: `run:epoch:seq`."""
        self._positions[run] = position
        return f"{self._mark},{position}" if len(self._positions) == 1 else self.offset()

    def ended(self, run: str) -> str:
        """The offset of a run's end. It names the run until the record does."""
        self._positions[run] = position_text(run, None)
        self._count += 1
        self._set(f"x:{run}", str(self._count))
        self.ends_unsaved.append((run, self._count))
        self._drop_oldest("x:")
        self._on_change()
        return self.offset()

    def ends_saved(self, ends: list[tuple[str, int]]) -> None:
        """The record has these ends: offsets need not name them any more."""
        for run, count in ends:
            if self._positions.get(run) == position_text(run, None):
                del self._positions[run]
            self._mark = max(self._mark, count)

    def join(
        self,
        address: FeedAddress,
        at: Mapping[str, tuple[int, int]],
        seen: Sequence[str],
        *,
        shown_by: str,
    ) -> int:
        """Note that the socket joins, `at` these positions (run id -> epoch, seq), without need of
        the runs in `seen`. `shown_by`: the event that shows it so, with the mark that is returned;
        empty if none does."""
        self._count += bool(shown_by)
        value: JoinField = {
            "s": address.session_id,
            "r": address.run_id,
            "at": {short(run): position for run, position in at.items()},
            "seen": [short(run) for run in seen],
            "told": shown_by,
            "k": self._count if shown_by else 0,
        }
        self._set(f"f:{address.tag}", json.dumps(value))
        self._drop_oldest("f:", FEEDS_IN_RECORD)
        return self._count if shown_by else self._mark

    def shown(self, mark: int, at: Mapping[str, tuple[int, int]], ended: Iterable[str]) -> str:
        """The offset of a `resumed` or a resync that shows these runs up to these positions, and
        the ended ones whole."""
        self._mark = max(self._mark, mark)
        for run in map(short, ended):
            if self._positions.get(run, "") != f"{run}:e" and not self._needs_nothing_of(run):
                self.ended(run)
        for run, position in at.items():
            self._positions[short(run)] = position_text(short(run), position)
        return self.offset()

    def _needs_nothing_of(self, run: str) -> bool:
        """Whether the record says so of the run, and nothing of it was sent since."""
        if run in self._positions:
            return False
        joins = (json.loads(v) for name, v in self.record.items() if name.startswith("f:"))
        return f"x:{run}" in self.record or any(run in join["seen"] for join in joins)

    def leave(self, tag: str) -> None:
        """The socket does not watch the session any more."""
        self._drop(lambda name: name == f"f:{tag}" or name.startswith(f"m:{tag}:"))
        self._on_change()

    def mute(self, tag: str, run_id: str) -> None:
        """The socket gets no more of the run, now and after it was recovered."""
        self._positions.pop(short(run_id), None)
        self._set(f"m:{tag}:{run_id}", "1")
        self._drop_oldest("m:")
        self._on_change()

    def unmute(self, tag: str) -> None:
        """The socket gets all runs of the session."""
        self._drop(lambda name: name.startswith(f"m:{tag}:"))

    def has_joined(self) -> bool:
        """Whether there is any session to recover."""
        return any(name.startswith("f:") for name in self.record)

    def _set(self, name: str, value: str) -> None:
        self.record[name] = value
        self.touched.add(name)

    def _drop(self, which: Callable[[str], bool]) -> None:
        for name in [name for name in self.record if which(name)]:
            del self.record[name]
            self.touched.add(name)

    def _drop_oldest(self, kind: str, most: int = RUNS_IN_RECORD) -> None:
        names = [name for name in self.record if name.startswith(kind)]
        oldest = set(names[: max(0, len(names) - most)])
        if oldest:
            self._drop(lambda name: name in oldest)
