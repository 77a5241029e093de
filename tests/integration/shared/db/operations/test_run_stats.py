"""What plots show is what rows say (both databases): counts, percentiles, live runs over time."""

from __future__ import annotations

import math
import random
import uuid
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from shared.db.database import Database
from shared.db.models import RunRow
from shared.db.operations.run_counts import run_counts
from shared.db.operations.run_stats import MOST_PROFILES, WINDOWS, Bucket, Window, run_stats
from shared.protocol.run_states import LIVE, RunState

NOW = 1_800_000_030.0
HOUR = WINDOWS["hour"]


def add(db: Database, *rows: dict[str, Any]) -> None:
    """Runs; fields that are not given are those of a run that was made now and waits."""

    def work(tx: Session) -> None:
        common = {"input": "x", "payload_hash": "h", "queue_no": 1}
        for row in rows:
            values: dict[str, Any] = {
                "id": uuid.uuid4().hex,
                "owner": "alice",
                "profile": "default",
                "state": "queued",
                "created_at": NOW,
                **row,
            }
            values["announced_at"] = values.get("ended_at")
            tx.execute(insert(RunRow).values(**common, **values))

    db.write(work)


def buckets(db: Database, owner: str | None = None, window: Window = HOUR) -> list[Bucket]:
    return db.read(lambda tx: run_stats(tx, owner, window, NOW)).buckets


def test_runs_are_counted_by_outcome_in_the_bucket_in_which_they_were_made(db: Database) -> None:
    done = {"state": "completed", "first_claimed_at": NOW - 50, "ended_at": NOW - 10}
    add(
        db,
        {**done, "created_at": NOW - 60},
        {**done, "created_at": NOW - 60, "owner": "bob"},
        {"created_at": NOW},
        {"created_at": NOW - 3700, "state": "failed", "reason": "timeout", "ended_at": NOW - 3650},
        {"created_at": NOW - 60, "state": "failed", "reason": "worker_lost", "ended_at": NOW},
    )
    found = buckets(db)
    assert len(found) == 60
    assert found[-1].at == 1_800_000_000.0
    assert found[-1].outcomes == {(RunState.QUEUED, None): 1}
    assert found[-2].outcomes == {
        (RunState.COMPLETED, None): 2,
        (RunState.FAILED, "worker_lost"): 1,
    }
    assert not any(one.outcomes for one in found[:-2])
    assert buckets(db, "bob")[-2].outcomes == {(RunState.COMPLETED, None): 1}


def test_waits_are_percentiles_by_the_nearest_rank(db: Database) -> None:
    chance = random.Random(5)
    waits = [chance.random() * 30 for _ in range(37)]
    add(
        db,
        *(
            {
                "state": "running",
                "created_at": NOW - 20,
                "first_claimed_at": NOW - 20 + wait,
                "first_token_at": NOW - 20 + 2 * wait,
            }
            for wait in waits
        ),
    )
    bucket, ordered = buckets(db)[-1], sorted(waits)
    for factor, seen in ((1, bucket.wait), (2, bucket.first_token)):
        assert seen.count == 37
        for percent, value in ((50, seen.p50), (95, seen.p95)):
            expected = factor * ordered[math.ceil(37 * percent / 100) - 1]
            assert value is not None
            assert abs(value - expected) < 1e-5


def test_a_clock_that_is_behind_makes_no_negative_wait(db: Database) -> None:
    add(db, {"first_token_at": NOW - 3, "first_claimed_at": NOW - 1})
    bucket = buckets(db)[-1]
    assert (bucket.wait.p50, bucket.first_token.p95) == (0.0, 0.0)


def test_live_runs_over_time_are_those_between_claim_and_end(db: Database) -> None:
    chance = random.Random(7)
    rows = []
    for number in range(200):
        made = NOW - chance.random() * 3600
        claimed = made + chance.random() * 20
        ended = claimed + chance.random() * 900
        row: dict[str, Any] = {
            "created_at": made,
            "profile": f"p{number % 3}",
            "first_claimed_at": claimed,
            "state": "running",
        }
        if ended < NOW:
            row |= {"state": "completed", "ended_at": ended}
        if claimed < NOW:
            rows.append(row)
    add(db, *rows)
    for number, bucket in enumerate(buckets(db)):
        end = bucket.at + 60 if number < 59 else NOW
        for profile in ("p0", "p1", "p2"):
            expected = sum(
                row["profile"] == profile
                and row["first_claimed_at"] < end
                and (row["state"] in LIVE or row["ended_at"] >= end)
                for row in rows
            )
            assert bucket.live[profile] == expected, (number, profile)


def test_a_run_that_never_began_was_never_live(db: Database) -> None:
    add(db, {"state": "aborted", "created_at": NOW - 400, "ended_at": NOW - 200})
    assert all(not any(one.live.values()) for one in buckets(db))


def test_many_profiles_are_shown_as_the_largest_and_all_others(db: Database) -> None:
    add(
        db,
        *(
            {"profile": f"p{n:02}", "state": "running", "first_claimed_at": NOW - 5}
            for n in range(30)
        ),
        {"profile": "p29", "state": "running", "first_claimed_at": NOW - 5},
    )
    stats = db.read(lambda tx: run_stats(tx, None, HOUR, NOW))
    assert len(stats.profiles) == MOST_PROFILES + 1
    assert (stats.profiles[-1], "p29" in stats.profiles) == (None, True)
    assert sum(stats.buckets[-1].live.values()) == 31


def test_counts_are_of_open_runs_and_of_newly_made_ones(db: Database) -> None:
    add(
        db,
        {"created_at": NOW - 1e6},  # it waits still
        {"state": "completed", "created_at": NOW - 1e6, "ended_at": NOW - 1e6},
        {"state": "completed", "created_at": NOW - 10, "ended_at": NOW, "owner": "bob"},
        {"state": "failed", "reason": "timeout", "created_at": NOW - 10, "ended_at": NOW},
    )
    counts = db.read(lambda tx: run_counts(tx, None, NOW - 60))
    found = {(one.state, one.reason): one.count for one in counts.groups}
    assert found == {
        (RunState.QUEUED, None): 1,
        (RunState.COMPLETED, None): 1,
        (RunState.FAILED, "timeout"): 1,
    }
    assert counts.owners == [("alice", 2), ("bob", 1)]
    assert counts.complete
    own = db.read(lambda tx: run_counts(tx, "bob", NOW - 60))
    assert [(one.state, one.count) for one in own.groups] == [(RunState.COMPLETED, 1)]
