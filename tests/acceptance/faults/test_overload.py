"""More work than slots: fair to all, nothing lost, doubled or taken over (ADR 0024)."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.db.models import RunRow
from shared.db.runs.queue.due import count_due
from tests.bench.overload.crowd import MANY, ONE, Crowd, crowd, wait_until_idle
from tests.support.servers.processes import wait_until

SLOTS = 2
RUNS = 24


def test_one_users_many_runs_hold_up_another_by_one_round_and_all_of_them_end(
    database_url: str,
) -> None:
    with crowd(database_url, WORKER_CONCURRENCY=SLOTS) as people:
        for _ in range(RUNS):
            people.send(MANY, tokens=4, rate=8.0)
        due = waiting(people)  # asked first: a moment later fewer are due
        assert people.messages() <= due + SLOTS
        other = people.send(ONE, tokens=4, rate=8.0)
        wait_until(
            lambda: people.stack.run_row(other).first_claimed_at is not None,
            within=60,
            what="the other user's run has started",
        )
        row = people.stack.run_row(other)

        def started_before(tx: Session) -> int:
            meanwhile = (
                RunRow.owner == MANY,
                RunRow.first_claimed_at > row.created_at,
                RunRow.first_claimed_at < row.first_claimed_at,
            )
            return len(tx.scalars(select(RunRow.id).where(*meanwhile)).all())

        assert people.stack.read(started_before) <= SLOTS
        wait_until_idle(people, within=120)
        verdict = people.verdict()
        assert verdict.pop("runs") == RUNS + 1
        assert set(verdict.values()) == {0}, verdict
        assert people.stack.accidents() == []


def waiting(people: Crowd) -> int:
    """How many runs are due."""
    return people.stack.read(lambda tx: count_due(tx, lambda profile: 0, 1000))
