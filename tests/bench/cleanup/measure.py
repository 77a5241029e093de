"""The load alone, the same while the expired sessions are deleted, and alone again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from shared.db.clock import read_clock
from shared.event_log.clients import command_client
from shared.job_ledger import JobLedger, JobRun
from shared.settings import Settings
from shared.task_queue import CLEAN_UP, DELETE_EPHEMERAL, MAINTENANCE, celery_app
from tests.bench.cleanup.expired import RUNS, add_at_gateway, add_expired, left
from tests.bench.cleanup.others import Others
from tests.bench.cleanup.streams import Gaps, Streams, Window
from tests.bench.cleanup.timed_maintenance import FILE
from tests.bench.cleanup.use import Use, use_of
from tests.bench.overload.crowd import MANY, Crowd, crowd, token_of
from tests.support.servers.processes import RunningProcess
from tests.support.servers.stack import Stack

SPARE = 50  # slots that the streams leave to others
SETTLE = 5.0  # seconds before the first figures count
LOOK_EVERY = 1.0  # seconds
AGAIN_AFTER = 20.0  # seconds between two calls of a job, at least; beat lets more pass
JOBS = (CLEAN_UP, DELETE_EPHEMERAL)


@dataclass(frozen=True)
class Sizes:
    """How much of everything."""

    sessions: int = 10_000
    streams: int = 50
    rate: float = 20.0  # tokens a second of each stream
    ends: float = 2.0  # short runs that are sent in a second
    seconds: float = 30.0  # that the load is measured alone, before and afterwards
    most: float = 1800.0  # seconds that the cleaning is waited for


class TimedStack(Stack):
    """One whose maintenance process notes its transactions."""

    def _start(self, name: str, *module: str) -> RunningProcess:
        if module == ("worker", "maintenance"):
            module = ("tests.bench.cleanup.timed_maintenance",)
        return super()._start(name, *module)


@dataclass
class Phase:
    """A time in which the load was measured."""

    name: str
    window: Window
    clock: Window  # the same on the database's
    used: tuple[Use, Use]
    firsts: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """How long it was."""
        return self.window[1] - self.window[0]

    def cpu(self, role: str) -> float:
        """Percent of a core."""
        before, after = self.used
        return 100 * (after.cpu[role] - before.cpu[role]) / self.seconds

    def per_second(self, what: Callable[[Use], int]) -> float:
        """Of what the database counts."""
        before, after = self.used
        return (what(after) - what(before)) / self.seconds


@dataclass(frozen=True)
class Cleaned:
    """How far the cleaning came, after how many seconds each kind was done (None: it was not)."""

    calls: dict[str, int]
    done_after: dict[str, float | None]
    left: dict[str, int]
    seconds: float


def measure(database_url: str, sizes: Sizes) -> dict[str, str]:
    """The figures of one database."""
    slots = sizes.streams + SPARE
    with crowd(database_url, kind=TimedStack, WORKER_CONCURRENCY=slots) as people:
        stack = people.stack
        names = add_expired(stack.db, MANY, sizes.sessions)
        add_at_gateway(stack.gateway, names)
        streams = Streams(stack.url, token_of(MANY), sizes.streams, sizes.rate)
        others = Others(people, sizes.ends)
        time.sleep(SETTLE)
        cleaned: list[Cleaned] = []
        phases = [
            _phase("before", stack, lambda: time.sleep(sizes.seconds)),
            _phase("meanwhile", stack, lambda: cleaned.append(_clean(people, names, sizes.most))),
            _phase("afterwards", stack, lambda: time.sleep(sizes.seconds)),
        ]
        others.stop()
        gaps = streams.gaps([phase.window for phase in phases])
        for phase in phases:
            phase.firsts = others.first_tokens(phase.window)
            phase.ends = others.ends(*phase.clock)
        held = _transactions(stack, phases[1].window)
        verdict = people.verdict()
    return dict(_figures(sizes, phases, gaps, cleaned[0], held, verdict))


def _phase(name: str, stack: Stack, work: Callable[[], None]) -> Phase:
    began, clock, before = time.monotonic(), stack.read(read_clock), use_of(stack)
    work()
    window = began, time.monotonic()
    return Phase(name, window, (clock, stack.read(read_clock)), (before, use_of(stack)))


def _clean(people: Crowd, names: list[str], most: float) -> Cleaned:
    """Have both jobs done, again when a call ends and leaves something, until nothing is left."""
    settings = Settings.load(people.stack.environment)
    app, redis = celery_app(settings), command_client(settings.redis_url)
    ledger = JobLedger(redis)
    calls = dict.fromkeys(JOBS, 0)
    sent: dict[str, float] = {}
    done: dict[str, float | None] = dict.fromkeys(JOBS)
    began = time.monotonic()
    remaining: dict[str, int] = {}
    while time.monotonic() - began < most:
        remaining = dict(zip(JOBS, left(people.stack.db), strict=True))
        last = {run.job: run for run in ledger.read()}
        for task in JOBS:
            if _is_at_work(task, sent, last) or time.time() < sent.get(task, 0.0) + AGAIN_AFTER:
                continue
            if not remaining[task] and (task == CLEAN_UP or done[CLEAN_UP] is not None):
                done[task] = done[task] or time.monotonic() - began
                continue
            sent[task], calls[task] = time.time(), calls[task] + 1
            app.send_task(task, queue=MAINTENANCE)
        if None not in done.values():
            break
        time.sleep(LOOK_EVERY)
    app.close()
    redis.close()
    return Cleaned(calls, done, remaining, time.monotonic() - began)


def _is_at_work(task: str, sent: dict[str, float], last: dict[str, JobRun]) -> bool:
    if task not in sent:
        return False
    run = last.get(task.rpartition(".")[2])
    return run is None or run.ended_at < sent[task]


def _transactions(stack: Stack, window: Window) -> dict[str, list[float]]:
    """Milliseconds of each transaction of the cleaning, by what it did."""
    found: dict[str, list[float]] = {}
    for line in (stack.folder / FILE).read_text().splitlines():
        at, held, what = line.split(maxsplit=2)
        if window[0] < float(at) <= window[1]:
            found.setdefault(what, []).append(1000 * float(held))
    return found


def _figures(
    sizes: Sizes,
    phases: list[Phase],
    gaps: list[Gaps],
    cleaned: Cleaned,
    held: dict[str, list[float]],
    verdict: dict[str, int],
) -> Iterator[tuple[str, str]]:
    yield "token gap, ms: p50", _three([g.median for g in gaps])
    yield "token gap, ms: p99", _three([g.p99 for g in gaps])
    yield "token gap, ms: longest", _three([g.longest for g in gaps])
    yield "another user's first token, ms: median", _three([_at(p.firsts, 0.5) for p in phases])
    yield "another user's first token, ms: p95", _three([_at(p.firsts, 0.95) for p in phases])
    yield (
        "short runs: ends/s",
        _three([len(p.ends) / p.seconds for p in phases], worse_if_less=True),
    )
    yield "short runs: request to end, ms: median", _three([_at(p.ends, 0.5) for p in phases])
    yield "short runs: request to end, ms: p99", _three([_at(p.ends, 0.99) for p in phases])
    during = phases[1]
    for role in during.used[0].cpu:
        yield f"CPU of {role}, % of a core", _three([p.cpu(role) for p in phases], ratio=False)
    if during.used[1].commits:
        yield (
            "transactions/s",
            _three([p.per_second(lambda u: u.commits) for p in phases], ratio=False),
        )
        yield (
            "rows read/s",
            _three([p.per_second(lambda u: u.rows_read) for p in phases], ratio=False),
        )
    yield "sessions: seconds in all, calls", _done(cleaned, CLEAN_UP)
    yield "sessions deleted/s", _pace(cleaned, CLEAN_UP, sizes.sessions)
    yield "gateway sessions: seconds in all, calls", _done(cleaned, DELETE_EPHEMERAL)
    if cleaned.done_after[DELETE_EPHEMERAL]:
        yield "gateway sessions deleted/s", _pace(cleaned, DELETE_EPHEMERAL, sizes.sessions * RUNS)
    for what, times in sorted(held.items()):
        times.sort()
        yield (
            f"transactions `{what}`: count; ms: median, p99, longest",
            f"{len(times):,}; {_at(times, 0.5):.2f}, {_at(times, 0.99):.1f}, {times[-1]:.1f}",
        )
    yield "events missing or runs ended, of the streams", str(gaps[0].faults)
    yield (
        "taken over, failed, posted twice",
        ", ".join(str(verdict[name]) for name in ("taken over", "failed", "posted twice")),
    )


def _at(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def _three(values: list[float], *, ratio: bool = True, worse_if_less: bool = False) -> str:
    """Before, meanwhile, afterwards; and how many times worse it is meanwhile."""
    shown = ", ".join(f"{value:,.0f}" if value >= 100 else f"{value:.1f}" for value in values)
    if not ratio or not values[0] or not values[1]:
        return shown
    times = values[0] / values[1] if worse_if_less else values[1] / values[0]
    return f"{shown} (x {times:.2f})"


def _done(cleaned: Cleaned, task: str) -> str:
    after = cleaned.done_after[task]
    took = f"{after:.0f}" if after is not None else f"not done, {cleaned.left[task]:,} left"
    return f"{took}, {cleaned.calls[task]}"


def _pace(cleaned: Cleaned, task: str, count: int) -> str:
    after = cleaned.done_after[task] or cleaned.seconds
    return f"{(count - cleaned.left[task]) / after:.1f}"
