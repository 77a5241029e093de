"""How runs went over the last hour, day or week, in buckets of time.

Problem: a plot of a week sums up a hundred thousand runs, on two databases of which one has no
percentiles, and must not read what else is in their rows.
Idea: the database does all of it, over an index that has what it takes: counts by group, and
percentiles by the nearest rank, with window functions that both have. Live runs are counted
backwards from now: each claim in a bucket was one run less before it, each end one more.
Invariant: at most `MOST_RUNS` runs are looked at, the newest; what is cut off is said.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Integer, func, select, union_all
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.functions import FunctionElement

from shared.db.clock import read_clock
from shared.db.constants import constants
from shared.db.models import HAS_ENDED, RunRow
from shared.db.operations.runs_of_all import are_open, of_owner
from shared.protocol.run_states import LIVE, RunState

MOST_RUNS: Final = 200_000
MOST_PROFILES: Final = 12  # that are counted by themselves
LOOK_BACK: Final = 3600.0  # seconds before the first bucket in which runs that end in it were made


@dataclass(frozen=True)
class Window:
    """`count` buckets of `width` seconds, of which the last one is not over."""

    width: float
    count: int


WINDOWS: Final = {
    "hour": Window(60.0, 60),
    "day": Window(1800.0, 48),
    "week": Window(7200.0, 84),
}


@dataclass(frozen=True)
class Waits:
    """Seconds that runs waited: how many runs, and half and 95 percent of them at most so long."""

    count: int = 0
    p50: float | None = None
    p95: float | None = None


@dataclass
class Bucket:
    """`at`: when it begins, in epoch seconds. `outcomes`: (state, reason) -> runs that were made in
    it, as they are now. `wait`: until the first claim; `first_token`: until the first text, both
    from when the run was made. `live`: profile -> live runs at its end, None: all further ones."""

    at: float
    outcomes: dict[tuple[RunState, str | None], int] = field(default_factory=dict)
    wait: Waits = field(default_factory=Waits)
    first_token: Waits = field(default_factory=Waits)
    live: dict[str | None, int] = field(default_factory=dict)


@dataclass(frozen=True)
class RunStats:
    """`now`: on the clock of the database. `complete`: False if there were more runs than are
    looked at; then the oldest are missing."""

    now: float
    width: float
    buckets: list[Bucket]
    profiles: list[str | None]
    complete: bool


class WholeNumber(FunctionElement[int]):
    """`WholeNumber(x)` is x, which is not negative, without its fraction."""

    type = Integer()
    inherit_cache = True


@compiles(WholeNumber, "postgresql")
def _postgresql(element: WholeNumber, compiler: Any, **options: Any) -> str:
    return f"floor({compiler.process(element.clauses, **options)})::integer"


@compiles(WholeNumber, "sqlite")
def _sqlite(element: WholeNumber, compiler: Any, **options: Any) -> str:
    return f"CAST({compiler.process(element.clauses, **options)} AS INTEGER)"


def run_stats(tx: Session, owner: str | None, window: Window, now: float | None = None) -> RunStats:
    """Sum up the runs of the owner, or of all. `now`: the clock of the database, unless given."""
    now = read_clock(tx) if now is None else now
    since = (now // window.width - window.count + 1) * window.width
    buckets = [Bucket(since + number * window.width) for number in range(window.count)]
    source = _newest(owner, since - LOOK_BACK)

    def bucket_of(column: Any) -> Any:
        return WholeNumber((column - since) / window.width).label("bucket")

    seen = 0
    made = bucket_of(source.c.created_at)
    by_outcome = select(made, source.c.state, source.c.reason, func.count())
    by_outcome = by_outcome.where(source.c.created_at >= since)
    for number, state, reason, count in tx.execute(
        by_outcome.group_by("bucket", source.c.state, source.c.reason)
    ):
        seen += count
        if bucket := _at(buckets, number):
            bucket.outcomes[RunState(state), reason] = count
    for name, column in (("wait", "first_claimed_at"), ("first_token", "first_token_at")):
        waited = select(made, _not_negative(source.c[column] - source.c.created_at).label("waited"))
        waited = waited.where(source.c.created_at >= since, source.c[column].is_not(None))
        for number, count, p50, p95 in tx.execute(_percentiles(waited.subquery())):
            if bucket := _at(buckets, number):
                setattr(bucket, name, Waits(count, p50, p95))
    moves = {
        sign: _moves(tx, source, bucket_of(source.c[column]), source.c[column], since)
        for sign, column in ((1, "first_claimed_at"), (-1, "ended_at"))
    }
    profiles = _count_live(buckets, _live_now(tx, owner), moves)
    return RunStats(now, window.width, buckets, profiles, complete=seen < MOST_RUNS)


def _newest(owner: str | None, since: float) -> Any:
    """The newest of the runs that were made since then. Ended ones are read from an index that has
    all of it."""
    columns = (
        RunRow.created_at,
        RunRow.profile,
        RunRow.state,
        RunRow.reason,
        RunRow.first_claimed_at,
        RunRow.first_token_at,
        RunRow.ended_at,
    )
    made = [*of_owner(owner), RunRow.created_at >= since]
    ended = select(*columns).where(*made, HAS_ENDED).order_by(RunRow.created_at.desc())
    waits_or_lives = select(*columns).where(*made, *are_open())
    return union_all(select(ended.limit(MOST_RUNS).subquery()), waits_or_lives).subquery()


def _not_negative(seconds: Any) -> Any:
    """The clocks of workers and of the database may differ a little."""
    return (seconds + func.abs(seconds)) / 2


def _percentiles(waited: Any) -> Any:
    """Bucket, count, median and 95th percentile of `waited`, by the nearest rank."""
    rank = func.row_number().over(partition_by=waited.c.bucket, order_by=waited.c.waited)
    count = func.count().over(partition_by=waited.c.bucket)
    ranked = select(
        waited.c.bucket, waited.c.waited, rank.label("rank"), count.label("count")
    ).subquery()

    def percentile(percent: int) -> Any:
        is_it = ranked.c.rank == (ranked.c.count * percent + 99) // 100
        return func.max(ranked.c.waited).filter(is_it)

    columns = (ranked.c.bucket, func.max(ranked.c.count), percentile(50), percentile(95))
    return select(*columns).group_by(ranked.c.bucket)


Moves = Counter[tuple[int, str]]  # (bucket, profile) -> runs


def _moves(tx: Session, source: Any, bucket: Any, column: Any, since: float) -> Moves:
    """How many runs that were claimed were claimed, or have ended, in each bucket."""
    query = select(bucket, source.c.profile, func.count())
    query = query.where(column >= since, source.c.first_claimed_at.is_not(None))
    rows = tx.execute(query.group_by("bucket", source.c.profile))
    return Counter({(number, profile): count for number, profile, count in rows})


def _live_now(tx: Session, owner: str | None) -> Counter[str]:
    query = select(RunRow.profile, func.count()).where(
        *of_owner(owner), *are_open(), RunRow.state.in_(constants(LIVE))
    )
    rows = tx.execute(query.group_by(RunRow.profile))
    return Counter({str(profile): count for profile, count in rows})


def _count_live(
    buckets: list[Bucket], live: Counter[str], moves: dict[int, Moves]
) -> list[str | None]:
    """Fill in `live`; return the profiles of most moves, and None if there are others."""
    weight = Counter(live)
    for of_kind in moves.values():
        for (_, profile), count in of_kind.items():
            weight[profile] += count
    names = [profile for profile, _ in weight.most_common()]
    shown = sorted(names[:MOST_PROFILES])
    level = Counter({name: live[name] for name in names})
    for number in reversed(range(len(buckets))):
        of_bucket: Counter[str | None] = Counter()
        for name in names:
            of_bucket[name if name in shown else None] += max(0, level[name])
            level[name] -= sum(sign * of[number, name] for sign, of in moves.items())
        buckets[number].live = dict(of_bucket)
    return [*shown, *([None] if len(names) > len(shown) else [])]


def _at(buckets: list[Bucket], number: int) -> Bucket | None:
    """None for a run that was made after the clock was read."""
    return buckets[number] if 0 <= number < len(buckets) else None
