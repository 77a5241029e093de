"""Carries out a plan: the crowd works, faults fall, and at the end everything is gathered."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Callable

import aiohttp

from tests.chaos.clients.workload import Person
from tests.chaos.evidence import collect
from tests.chaos.evidence.evidence import Evidence, Injected
from tests.chaos.faults.base import Fault
from tests.chaos.schedule import Plan
from tests.chaos.stage import Stage
from tests.support.servers.stack import TOKEN

SETTLE = 90.0  # seconds for the last runs to end
OVERTIME = 120.0  # seconds that people may lag behind the plan
MEASURE_EVERY = 2.0
# Seconds for subscriptions to be given up: a polling client that vanishes is missed by the pings
# after 45, and its session is listened to for 5 more.
LINGER = 60.0

Say = Callable[[str], None]


async def perform(plan: Plan, stage: Stage, say: Say, warm_up: float) -> Evidence:
    """The whole of it; the stage has been started."""
    evidence = Evidence()
    connector = aiohttp.TCPConnector(limit=0)
    headers = {"User-Agent": "Mozilla/5.0 (chaos)"}
    async with aiohttp.ClientSession(connector=connector, headers=headers) as http:
        people = [Person(http, stage.url, TOKEN, name) for name in plan.sessions]
        stage.crowd.gather([tab for person in people for tab in person.tabs])
        for tab in stage.crowd.tabs:
            tab.open()
        measuring = asyncio.create_task(_measure(stage))
        await _work(plan, stage, people, evidence, say)
        say("settling")
        await _settle(stage)
        await asyncio.sleep(2)
        _close_pages(people, evidence)
        await asyncio.to_thread(collect.collect_rows, stage, evidence)
        await asyncio.to_thread(collect.collect_logs, stage, evidence)
        for tab in stage.crowd.tabs:
            await tab.close()
        await _quiet(stage)
        measuring.cancel()
    await asyncio.to_thread(collect.collect_leftovers, stage, evidence)
    collect.collect_memory(stage, evidence, warm_up)
    return evidence


async def _work(
    plan: Plan, stage: Stage, people: list[Person], evidence: Evidence, say: Say
) -> None:
    start = time.monotonic()
    locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
    faults = [
        asyncio.create_task(_fault(fault, start + at, stage, locks, evidence, say))
        for at, fault in plan.faults
    ]
    working = [
        asyncio.create_task(person.live(plan.sessions[person.session_id], start))
        for person in people
    ]
    _, late = await asyncio.wait(working, timeout=plan.seconds + OVERTIME)
    for task in late:
        task.cancel()
    if late:
        say(f"{len(late)} people did not get to the end of their plan")
    await asyncio.gather(*faults)
    for task in working:
        if task.done() and not task.cancelled() and task.exception() is not None:
            raise AssertionError("the workload broke") from task.exception()


async def _fault(
    fault: Fault,
    at: float,
    stage: Stage,
    locks: dict[str, asyncio.Lock],
    evidence: Evidence,
    say: Say,
) -> None:
    await asyncio.sleep(max(0.0, at - time.monotonic()))
    async with locks[fault.resource]:
        begun = time.time()
        problem = await _try(fault.inject, stage)
        await asyncio.sleep(fault.hold)
        problem = problem or await _try(fault.heal, stage)
        evidence.faults.append(Injected(fault.name, begun, time.time(), fault.detail or problem))
        took = time.time() - begun
        say(f"{fault.name} {took:.1f} s {fault.detail}" + (f" FAILED {problem}" if problem else ""))
        if problem:
            evidence.broken.append(f"{fault.name}: {problem}")


async def _try(work: Callable[[Stage], None], stage: Stage) -> str:
    """Faults meet each other: one may find Redis or the database away. What it said, if so."""
    try:
        await asyncio.to_thread(work, stage)
    except Exception as error:  # noqa: BLE001
        return f"{type(error).__name__}: {error}"[:2000]
    return ""


async def _measure(stage: Stage) -> None:
    while True:
        await asyncio.to_thread(stage.measure)
        await asyncio.sleep(MEASURE_EVERY)


async def _settle(stage: Stage) -> None:
    """Until no run is open, or it has taken too long: the judge will say so."""
    deadline = time.monotonic() + SETTLE
    wanted = "SELECT id FROM runs WHERE ended_at IS NULL OR announced_at IS NULL"
    while time.monotonic() < deadline:
        with contextlib.suppress(Exception):
            if not await asyncio.to_thread(collect.rows, stage, wanted):
                return
        await asyncio.sleep(0.5)


def _close_pages(people: list[Person], evidence: Evidence) -> None:
    for person in people:
        evidence.sent.extend(person.sent)
        evidence.stops.extend(person.stops)
        for tab in person.tabs:
            tab.page.closed, tab.page.until_end = time.time(), True
            evidence.pages.extend(tab.pages)
            evidence.not_let_in.extend(tab.not_let_in)


async def _quiet(stage: Stage) -> None:
    deadline = time.monotonic() + LINGER

    def watched() -> bool:
        with stage.command() as client:
            return bool(client.pubsub_channels("hf:*:bell"))

    while await asyncio.to_thread(watched):
        if time.monotonic() > deadline:
            return
        await asyncio.sleep(0.5)
