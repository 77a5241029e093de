"""Where a socket stands in the runs that it watches, and how an offset says so. Pure.

An offset is the last argument of an event to a client that can be recovered (P3), and what such a
client says when it comes back: `mark[,run:epoch:seq|,run:e]…[,+]`. It names every run of which the
socket heard and whose end the record in Redis does not know yet; `e`: heard to its end; `+`: there
were more runs than fit. `mark` says which of the record's later changes the socket was told of.
docs/adr/0010 tells why this is enough.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypedDict

from web.relay.feed import FeedAddress

PLACES_MAX = 32  # runs that one offset names
OFFSET_MAX = 2048  # characters; ours have at most about 1,100
KEPT = 64  # ended and muted runs that a record knows, each
FEEDS_MAX = 200  # sessions that a record knows

Place = tuple[int, int] | None  # (epoch, seq) of the last entry; None: heard to the end

_OFFSET = re.compile(r"\d{1,9}(?:,[\w-]{1,12}:(?:e|\d{1,9}:\d{1,12}))*(?:,\+)?")


class _Join(TypedDict):
    """A session in a record: its name, what the socket had at the join, and the join's mark."""

    s: str | None
    r: str | None
    at: dict[str, tuple[int, int]]
    seen: list[str]
    told: str
    k: int


def short(run_id: str) -> str:
    """How offsets and records name a run: the end of its id, unique within a socket's sessions."""
    return run_id[-12:]


@dataclass(frozen=True)
class Offset:
    """What a client has. `whole`: every run that it heard of and that may go on is named."""

    mark: int
    places: dict[str, Place] = field(default_factory=dict)
    whole: bool = True


def parse_offset(text: object) -> Offset | None:
    """The offset, or None if it is none of ours."""
    if not isinstance(text, str) or len(text) > OFFSET_MAX or not _OFFSET.fullmatch(text):
        return None
    mark, *places = text.split(",")
    found: dict[str, Place] = {}
    for place in places:
        run, _, where = place.partition(":")
        if where:
            epoch, _, seq = where.partition(":")
            found[run] = (int(epoch), int(seq)) if seq else None
    return Offset(int(mark), found, whole=places[-1:] != ["+"])


class OffsetTracker:
    """One socket's: what its offsets say, and what its record in Redis says."""

    def __init__(
        self,
        pid: str,
        record: dict[str, str],
        offset: Offset,
        changed: Callable[["OffsetTracker"], None],
    ) -> None:
        """`record` and `offset` are what it begins with; `changed` is told when the record is."""
        self.pid = pid
        self.record = record
        self.touched = set(record)  # fields that Redis does not have yet, or still has
        self.ends_unsaved: list[tuple[str, int]] = []
        self.is_named = False  # Redis knows that the pid is this socket's
        self._changed = changed
        self._mark = offset.mark
        self._count = offset.mark + 1  # a join that was not answered may have that one
        self._places = {run: _place(run, at) for run, at in offset.places.items()}

    def offset(self) -> str:
        """What the socket has now."""
        places = list(self._places.values())
        more = ["+"] if len(places) > PLACES_MAX else []
        return ",".join([str(self._mark), *places[:PLACES_MAX], *more])

    def moved(self, run: str, place: str) -> str:
        """The offset of an event at that place of a run: `run:epoch:seq`."""
        self._places[run] = place
        return f"{self._mark},{place}" if len(self._places) == 1 else self.offset()

    def ended(self, run: str) -> str:
        """The offset of a run's end. It names the run until the record does."""
        self._places[run] = f"{run}:e"
        self._count += 1
        self._set(f"x:{run}", str(self._count))
        self.ends_unsaved.append((run, self._count))
        self._forget_oldest("x:")
        self._changed(self)
        return self.offset()

    def ends_saved(self, ends: list[tuple[str, int]]) -> None:
        """The record knows these ends: offsets need not name them any more."""
        for run, count in ends:
            if self._places.get(run) == f"{run}:e":
                del self._places[run]
            self._mark = max(self._mark, count)

    def join(
        self,
        address: FeedAddress,
        at: Mapping[str, tuple[int, int]],
        seen: list[str],
        *,
        told: str,
    ) -> int:
        """Note that the socket joins, `at` these places (run id -> epoch, seq), without need of the
        runs in `seen`. `told`: the event that will show it so, with the mark that is given; empty
        if none will."""
        self._count += bool(told)
        value: _Join = {
            "s": address.session_id,
            "r": address.run_id,
            "at": {short(run): place for run, place in at.items()},
            "seen": [short(run) for run in seen],
            "told": told,
            "k": self._count if told else 0,
        }
        self._set(f"f:{address.tag}", json.dumps(value))
        self._forget_oldest("f:", FEEDS_MAX)
        return self._count if told else self._mark

    def shown(self, mark: int, at: Mapping[str, tuple[int, int]], over: Iterable[str]) -> str:
        """The offset of a `resumed` or a resync that shows these runs up to these places, and
        those in `over` whole."""
        self._mark = max(self._mark, mark)
        for run in map(short, over):
            if self._places.get(run, "") != f"{run}:e" and not self._saw(run):
                self.ended(run)
        for run, place in at.items():
            self._places[short(run)] = _place(short(run), place)
        return self.offset()

    def _saw(self, run: str) -> bool:
        """Whether the record says that the socket needs nothing of the run, and nothing came."""
        if run in self._places:
            return False
        joins = (json.loads(v) for name, v in self.record.items() if name.startswith("f:"))
        return f"x:{run}" in self.record or any(run in join["seen"] for join in joins)

    def leave(self, tag: str) -> None:
        """It watches the session no more."""
        self._drop(lambda name: name == f"f:{tag}" or name.startswith(f"m:{tag}:"))
        self._changed(self)

    def mute(self, tag: str, run_id: str) -> None:
        """It hears no more of the run, now and after coming back."""
        self._places.pop(short(run_id), None)
        self._set(f"m:{tag}:{run_id}", "1")
        self._forget_oldest("m:")
        self._changed(self)

    def unmute(self, tag: str) -> None:
        """It hears everything of the session."""
        self._drop(lambda name: name.startswith(f"m:{tag}:"))

    def joined(self) -> bool:
        """Whether there is anything to come back to."""
        return any(name.startswith("f:") for name in self.record)

    def _set(self, name: str, value: str) -> None:
        self.record[name] = value
        self.touched.add(name)

    def _drop(self, which: Callable[[str], bool]) -> None:
        for name in [name for name in self.record if which(name)]:
            del self.record[name]
            self.touched.add(name)

    def _forget_oldest(self, kind: str, kept: int = KEPT) -> None:
        names = [name for name in self.record if name.startswith(kind)]
        oldest = set(names[: max(0, len(names) - kept)])
        if oldest:
            self._drop(lambda name: name in oldest)


def _place(run: str, at: Place) -> str:
    return f"{run}:{at[0]}:{at[1]}" if at is not None else f"{run}:e"


@dataclass(frozen=True)
class Joined:
    """A session that a lost socket watched. `awaits`: the `resumed` or resync that it missed."""

    address: FeedAddress
    at: dict[str, tuple[int, int]]  # by short name
    seen: frozenset[str]
    muted: frozenset[str]  # run ids
    awaits: str


@dataclass(frozen=True)
class Lost:
    """What a socket had when its connection broke."""

    feeds: list[Joined]
    places: dict[str, Place]
    whole: bool
    ended: frozenset[str]

    def place(self, joined: Joined, run_id: str) -> tuple[int, int] | None:
        """The last entry of the run that the socket has; None: it has none of it.

        Raises KeyError if that cannot be told: the offset had no room for the run.
        """
        run = short(run_id)
        if (named := self.places.get(run)) is not None:
            return named
        if not self.whole:
            raise KeyError(run_id)
        return joined.at.get(run)

    def has_all(self, joined: Joined, run_id: str) -> bool:
        """Whether the socket heard the run's end, or joined after it."""
        run = short(run_id)
        if run in self.ended:
            return True  # though the record began with a place in it
        return self.places[run] is None if run in self.places else run in joined.seen


def lost(record: Mapping[str, str], offset: Offset | None, owner: str) -> Lost:
    """What the socket of that record had, which says it has `offset`."""
    offset = _valid(record, offset)
    base = parse_offset(record.get("base")) or Offset(0)
    ended = frozenset(
        name[2:]
        for name, count in record.items()
        if name.startswith("x:") and int(count) <= offset.mark
    )
    feeds = []
    for name, value in record.items():
        if name.startswith("f:"):
            join: _Join = json.loads(value)
            muted = (n.rpartition(":")[2] for n in record if n.startswith(f"m:{name[2:]}:"))
            feeds.append(
                Joined(
                    FeedAddress(owner, join["s"], join["r"]),
                    {run: (epoch, seq) for run, (epoch, seq) in join["at"].items()},
                    frozenset(join["seen"]),
                    frozenset(muted),
                    join["told"] if join["k"] > offset.mark else "",
                )
            )
    return Lost(feeds, base.places | offset.places, offset.whole and base.whole, ended)


def fresh_record(stale: Offset | None) -> tuple[dict[str, str], Offset]:
    """A new record, with the marks of its offsets above that of the offset that the client still
    has from another time and may send again."""
    offset = Offset(stale.mark + 1 if stale is not None else 0)
    return {"first": str(offset.mark)}, offset


def continued_record(
    record: Mapping[str, str], offset: Offset | None
) -> tuple[dict[str, str], Offset]:
    """The record of the socket that takes the lost one's place: what that one certainly had."""
    offset = _valid(record, offset)
    base = parse_offset(record.get("base")) or Offset(0)
    places = base.places | offset.places
    heard = {run for run, at in places.items() if at is None}
    new = {name: value for name, value in record.items() if name[:2] in ("f:", "m:")}
    for name, value in new.items():
        if name.startswith("f:"):
            join: _Join = json.loads(value)
            if join["k"] > offset.mark:
                new[name] = json.dumps(join | {"k": offset.mark + 1})
    for name, count in record.items():
        if name.startswith("x:") and (int(count) <= offset.mark or name[2:] in heard):
            new[name] = "0"
    new |= {f"x:{run}": "0" for run in heard}
    going_on: dict[str, Place] = {
        run: at for run, at in places.items() if at is not None and f"x:{run}" not in new
    }
    now = Offset(offset.mark, going_on, offset.whole and base.whole)
    texts = [str(now.mark), *(_place(run, at) for run, at in going_on.items())]
    new["base"] = ",".join([*texts[: PLACES_MAX + 1], *([] if now.whole else ["+"])])
    new["first"] = record.get("first", "0")
    return new, now


def _valid(record: Mapping[str, str], offset: Offset | None) -> Offset:
    """The offset, unless it is from before this record: then the record's own beginning."""
    first = int(record.get("first", "0"))
    if offset is not None and offset.mark >= first:
        return offset
    return parse_offset(record.get("base")) or Offset(first)
