"""The queue: what waits and what is live, of all or of oneself; and oneself."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from shared.event_log.keys import JOBS
from shared.job_ledger import JobLedger
from tests.integration.web.api.http.operations.conftest import Site


def queue(site: Site, name: str) -> dict[str, Any]:
    answer = site.client(name).get("/api/queue")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_the_queue_of_all_is_for_operators_and_ones_own_for_users(
    site: Site, session_id: str
) -> None:
    before, own = queue(site, "olga"), queue(site, "bob")
    first, second = (site.client("alice").start("x", session_id) for _ in range(2))
    site.begin(first, session_id)
    seen = queue(site, "olga")
    assert (seen["scope"], seen["live"] - before["live"]) == ("all", 1)
    assert seen["waiting"] - before["waiting"] == 1
    assert seen["slots"]["in_use"] == seen["live"]
    assert seen["slots"]["total"] == 7
    assert seen["workers"] == 1
    assert seen["oldest_waiting"] >= 0
    by_id = {run["run_id"]: run for run in seen["runs"]}
    assert (by_id[first]["status"], by_id[second]["status"]) == ("running", "queued")
    assert by_id[second]["queue_position"] == 1
    assert queue(site, "bob") == {**own, "oldest_waiting": queue(site, "bob")["oldest_waiting"]}
    hers = queue(site, "alice")
    assert {first, second} <= {run["run_id"] for run in hers["runs"]}
    assert {run["owner"] for run in hers["runs"]} == {"alice"}
    assert (hers["scope"], hers["workers"], hers["parked_deletions"]) == ("own", None, None)
    assert hers["slots"]["total"] is None


def test_operators_see_the_periodic_jobs_and_users_do_not(site: Site) -> None:
    ledger = JobLedger(site.stand.commands)
    ledger.run("tidy", 60.0, lambda: {"sessions": 3})

    def breaks() -> dict[str, int]:
        raise KeyError("nothing")

    with pytest.raises(KeyError):
        ledger.run("broken", 60.0, breaks)
    found = {job["job"]: job for job in queue(site, "olga")["jobs"]}
    assert (found["tidy"]["result"], found["tidy"]["error"]) == ({"sessions": 3}, None)
    assert found["tidy"]["next_at"] == found["tidy"]["ended_at"] + 60.0
    assert found["broken"]["error"] == "KeyError"
    assert queue(site, "alice")["jobs"] is None
    assert site.stand.commands.ttl(JOBS) > 0


def test_parked_deletions_are_counted_with_the_age_of_the_oldest(site: Site) -> None:
    before = queue(site, "olga")["parked_deletions"]["count"]
    site.park("eph_counted", at=1000.0)
    parked = queue(site, "olga")["parked_deletions"]
    assert parked["count"] == before + 1
    assert parked["oldest"] > 1e9


def test_me_says_who_one_is_and_what_is_left(site: Site) -> None:
    me = site.client("olga").get("/api/me").json()
    assert (me["owner"], me["role"], me["roles"]) == ("olga", "operator", ["user", "operator"])
    assert me["expires_at"] is None
    limits = me["limits"]
    assert limits["queue_per_session"] == 20
    assert limits["connections"] == {"limit": 20_000, "used": 0}
    assert limits["starts"]["limit"] == 500
    site.client("olga").start("x")
    after = site.client("olga").get("/api/me").json()
    assert (after["runs"]["waiting"], me["runs"]["waiting"]) == (1, 0)


def test_an_open_stream_counts_and_a_closed_one_soon_does_not(site: Site) -> None:
    def used() -> int:
        found: int = site.client("bob").get("/api/me").json()["limits"]["connections"]["used"]
        return found

    stream = site.client("bob").events(site.client("bob").start("x"))
    next(stream.response.iter_lines(chunk_size=None))
    assert used() == 1
    stream.close()
    assert within_ten_seconds(lambda: used() == 0)


def within_ten_seconds(is_so: Callable[[], bool]) -> bool:
    """Shorter than the pause between two comments, by which a stream would find out anyway."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if is_so():
            return True
        time.sleep(0.2)
    return False
