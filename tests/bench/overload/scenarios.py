"""The scenarios of overload: each gives its figures by name, times in seconds unless it says ms."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from shared.db.clock import read_clock
from shared.settings import Settings
from tests.bench.overload.crowd import (
    MANY,
    OTHERS,
    Crowd,
    Gaps,
    Probes,
    crowd,
    median,
    wait_until_idle,
)
from tests.bench.overload.timeline import Timeline
from tests.bench.sessions import seed
from tests.support.gateways.demo_gateway import scripted
from tests.support.servers.processes import wait_until
from tests.support.waiting_runs import add_waiting
from worker.app import build
from worker.maintenance.reaper import Reaper

Figures = dict[str, Any]
TICKS = 20
# Of a run's time. Twenty runs that began together would end together, if all took as long, and a
# slot would be free only then.
PARTS = (0.5, 0.65, 0.8, 1.0, 1.2, 1.35, 1.5)


@dataclass(frozen=True)
class Sizes:
    """How much of everything."""

    seconds: float = 60.0  # that a load lasts
    slots: int = 20
    run_seconds: float = 2.0  # that a run takes at the gateway
    waiting: int = 100_000
    owners: int = 1_000
    of_one: int = 1_000  # runs of one user
    long_seconds: float = 40.0  # that each of those takes
    sockets: int = 1_000
    messages: int = 2_000


def twice(database_url: str, sizes: Sizes, timeline: Timeline) -> Figures:
    """The capacity alone, then twice as much, then what is left of it, then the capacity again."""
    capacity = sizes.slots / sizes.run_seconds
    with crowd(database_url, timeline, WORKER_CONCURRENCY=sizes.slots) as people:
        probes = Probes(people)
        timeline.phase("0.9 of the capacity")
        quiet = Gaps(people, int(20 * sizes.seconds), 20.0)
        alone = _goodput(people, sizes, capacity * 0.9)
        quiet_p99 = quiet.p99()
        wait_until_idle(people)
        timeline.phase("twice the capacity")
        loaded = Gaps(people, int(20 * sizes.seconds), 20.0)
        during = _goodput(people, sizes, capacity * 2)
        loaded_p99 = loaded.p99()
        left = people.verdict()["not ended"]
        timeline.phase("the rest")
        wait_until_idle(people)
        timeline.phase("0.9 again")
        after = _goodput(people, sizes, capacity * 0.9)
        probes.stop()
        wait_until_idle(people)
        return {
            "ends/s alone": alone,
            "ends/s during": during,
            "ends/s after": after,
            "waiting at the end of the load": left,
            "token gap p99 ms alone": quiet_p99,
            "token gap p99 ms during": loaded_p99,
            **people.verdict(),
        }


def waiting(database_url: str, sizes: Sizes, timeline: Timeline) -> Figures:
    """Goodput with ten runs waiting and with very many, and how long somebody new waits then."""
    with crowd(database_url, timeline, WORKER_CONCURRENCY=sizes.slots + 1, WAITING_MAX=0) as people:
        timeline.phase("few wait")
        few = _goodput(people, sizes, 0.9 * sizes.slots / sizes.run_seconds)
        wait_until_idle(people)
        tokens = [round(10 * sizes.run_seconds * part) for part in PARTS]
        texts = [scripted(tokens=number, rate=10.0) for number in tokens]
        watch = _watch(people, sizes)  # has the slot that is one too many
        timeline.phase("very many come")
        add_waiting(people.stack.db, runs=sizes.waiting, owners=sizes.owners, texts=texts)
        ticks = _ticks(people)
        timeline.phase("very many wait")
        began, began_at = people.stack.read(read_clock), time.monotonic()
        firsts, most_messages = [], 0
        for number, other in enumerate(OTHERS, start=1):
            firsts.append(people.first_token(other))
            most_messages = max(most_messages, people.messages())
            next_at = began_at + number * sizes.seconds / len(OTHERS)
            time.sleep(max(0.0, next_at - time.monotonic()))
        took = people.stack.read(read_clock) - began
        many = people.ended_since(began) / took
        watch.stop()
        return {
            "ends/s with few": few,
            "ends/s with many": round(many, 2),
            "first token of another user": median(firsts),
            "at most": round(max(firsts), 3),
            "two slots' time": 2 * sizes.run_seconds / sizes.slots,
            "tick ms": ticks,
            "messages at most": most_messages,
            "taken over": people.verdict()["taken over"],
        }


def one_user(database_url: str, sizes: Sizes, timeline: Timeline) -> Figures:
    """Very many long runs of one user, and one run of another."""
    with crowd(database_url, timeline, WORKER_CONCURRENCY=sizes.slots + 1) as people:
        quiet = median([people.first_token() for _ in range(5)])
        watch = _watch(people, sizes)  # has the slot that is one too many
        timeline.phase("one user's runs come")
        tokens = int(sizes.long_seconds * 5)
        with ThreadPoolExecutor(8) as pool:
            list(
                pool.map(lambda _: people.send(MANY, tokens=tokens, rate=5.0), range(sizes.of_one))
            )
        timeline.phase("all are there")
        firsts = [people.first_token() for _ in range(5)]
        watch.stop()
        return {
            "first token quiet": quiet,
            "first token of the other": median(firsts),
            "at most": round(max(firsts), 3),
            "one slot": sizes.long_seconds / sizes.slots,
            "failed": people.verdict()["failed"],
        }


def storm(database_url: str, sizes: Sizes, timeline: Timeline) -> Figures:
    """Very many sockets that resume one long session at once, and another user's run."""
    with crowd(database_url, timeline, WORKER_CONCURRENCY=sizes.slots) as people:
        seed(people.stack, "long", sizes.messages, 500, owner=MANY)
        quiet = median([people.first_token() for _ in range(5)])
        with ThreadPoolExecutor(32) as pool:
            sockets = list(pool.map(lambda _: people.socket(MANY), range(sizes.sockets)))
        watch = _watch(people, sizes)
        timeline.phase("all resume")
        began, came, firsts = time.monotonic(), [], []

        def resume(client: Any) -> None:
            client.emit("resume", {"session_id": "long"})
            came.append(client.until("resumed")[0])

        other = threading.Thread(target=lambda: firsts.append(people.first_token()))
        with ThreadPoolExecutor(64) as pool:
            done = [pool.submit(resume, client) for client in sockets]
            other.start()
            for one in done:
                one.result()
        other.join()
        for client in sockets:
            client.close()
        watch.stop()
        wait_until_idle(people)
        return {
            "first token quiet": quiet,
            "first token during": round(firsts[0], 3),
            "all resumed after": round(max(came) - began, 2),
            "failed": people.verdict()["failed"],
        }


ALL: dict[str, Callable[[str, Sizes, Timeline], Figures]] = {
    "twice": twice,
    "waiting": waiting,
    "one_user": one_user,
    "storm": storm,
}


def _watch(people: Crowd, sizes: Sizes) -> Gaps:
    """Watch a run that lasts longer than the scenario; it streams before this returns."""
    longest = 60 + 2 * (sizes.seconds + sizes.long_seconds)
    watch = Gaps(people, int(20 * longest), 20.0)
    wait_until(watch.streams, within=30, what="the watched run streams")
    return watch


def _goodput(people: Crowd, sizes: Sizes, per_second: float) -> float:
    """Runs that end in a second while so many are sent in one."""
    began = people.stack.read(read_clock)
    start = time.monotonic()
    tokens = int(10 * sizes.run_seconds)
    with ThreadPoolExecutor(16) as pool:
        for number in range(int(per_second * sizes.seconds)):
            pause = start + number / per_second - time.monotonic()
            time.sleep(max(0.0, pause))
            pool.submit(people.send, MANY, tokens=tokens, rate=10.0)
    took = people.stack.read(read_clock) - began
    return round(people.ended_since(began) / took, 2)


def _ticks(people: Crowd) -> list[float]:
    """Milliseconds of some ticks of a reaper beside the stack's own: the first, and the median and
    the longest of the others."""
    services = build(Settings.load(people.stack.environment))
    reaper, took = Reaper(services), []
    try:
        for _ in range(TICKS):
            began = time.monotonic()
            reaper.tick()
            took.append(round(1000 * (time.monotonic() - began), 1))
    finally:
        services.gateways.close()
        services.db.close()
    return [took[0], median(took[1:]), max(took[1:])]
