"""What a lost socket had, by its record and the offset that its client says. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from web.recovery.offset import (
    RUNS_MAX,
    Offset,
    RunPosition,
    parse_offset,
    position_text,
    short,
)
from web.recovery.offset_tracker import JoinField
from web.relay.feed_address import FeedAddress


@dataclass(frozen=True)
class LostJoin:
    """A session that a lost socket watched. `missed_event`: the `resumed` or resync that was sent
    and did not arrive; empty if there was none."""

    address: FeedAddress
    at: dict[str, tuple[int, int]]  # by short run id
    seen: frozenset[str]
    muted: frozenset[str]  # run ids
    missed_event: str


@dataclass(frozen=True)
class LostSocket:
    """What a socket had when its connection broke."""

    joins: list[LostJoin]
    positions: dict[str, RunPosition]
    complete: bool
    ended: frozenset[str]

    @property
    def has_open_run(self) -> bool:
        """Whether it had the beginning of a run and not its end."""
        begun = {run for run, at in self.positions.items() if at is not None}
        begun |= {run for join in self.joins for run in join.at if run not in self.positions}
        return not begun <= self.ended

    def position(self, join: LostJoin, run_id: str) -> tuple[int, int] | None:
        """The last entry of the run that the socket has; None: it has none of it.

        Raises KeyError if that cannot be known: the offset had no room for the run.
        """
        run = short(run_id)
        if (named := self.positions.get(run)) is not None:
            return named
        if not self.complete:
            raise KeyError(run_id)
        return join.at.get(run)

    def has_all(self, join: LostJoin, run_id: str) -> bool:
        """Whether the socket got the run's end, or joined after it."""
        run = short(run_id)
        if run in self.ended:
            return True  # though the record began with a position in it
        return self.positions[run] is None if run in self.positions else run in join.seen


def lost_socket(record: Mapping[str, str], offset: Offset | None, owner: str) -> LostSocket:
    """What the socket of that record had, whose client says `offset`."""
    offset = _valid(record, offset)
    base = parse_offset(record.get("base")) or Offset(0)
    ended = frozenset(
        name[2:]
        for name, count in record.items()
        if name.startswith("x:") and int(count) <= offset.mark
    )
    joins = []
    for name, value in record.items():
        if name.startswith("f:"):
            join: JoinField = json.loads(value)
            muted = (n.rpartition(":")[2] for n in record if n.startswith(f"m:{name[2:]}:"))
            joins.append(
                LostJoin(
                    FeedAddress(owner, join["s"], join["r"]),
                    {run: (epoch, seq) for run, (epoch, seq) in join["at"].items()},
                    frozenset(join["seen"]),
                    frozenset(muted),
                    join["told"] if join["k"] > offset.mark else "",
                )
            )
    positions = base.positions | offset.positions
    return LostSocket(joins, positions, offset.complete and base.complete, ended)


def fresh_record(stale: Offset | None) -> tuple[dict[str, str], Offset]:
    """A new record, with the marks of its offsets above that of the offset that the client still
    has from another time and may send again."""
    offset = Offset(stale.mark + 1 if stale is not None else 0)
    return {"first": str(offset.mark)}, offset


def continued_record(
    record: Mapping[str, str], offset: Offset | None
) -> tuple[dict[str, str], Offset]:
    """The record of the socket that replaces the lost one: what that one certainly had."""
    offset = _valid(record, offset)
    base = parse_offset(record.get("base")) or Offset(0)
    positions = base.positions | offset.positions
    ended = {run for run, at in positions.items() if at is None}
    new = {name: value for name, value in record.items() if name[:2] in ("f:", "m:")}
    for name, value in new.items():
        if name.startswith("f:"):
            join: JoinField = json.loads(value)
            if join["k"] > offset.mark:
                new[name] = json.dumps(join | {"k": offset.mark + 1})
    for name, count in record.items():
        if name.startswith("x:") and (int(count) <= offset.mark or name[2:] in ended):
            new[name] = "0"
    new |= {f"x:{run}": "0" for run in ended}
    going_on: dict[str, RunPosition] = {
        run: at for run, at in positions.items() if at is not None and f"x:{run}" not in new
    }
    now = Offset(offset.mark, going_on, offset.complete and base.complete)
    texts = [str(now.mark), *(position_text(run, at) for run, at in going_on.items())]
    new["base"] = ",".join([*texts[: RUNS_MAX + 1], *([] if now.complete else ["+"])])
    new["first"] = record.get("first", "0")
    return new, now


def _valid(record: Mapping[str, str], offset: Offset | None) -> Offset:
    """The offset, unless it is from before this record: then the record's own beginning."""
    first = int(record.get("first", "0"))
    if offset is not None and offset.mark >= first:
        return offset
    return parse_offset(record.get("base")) or Offset(first)
