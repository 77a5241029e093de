"""What the page of runs asks: counts, plots, one run, its events, its stop, and the workers."""

from __future__ import annotations

import itertools
import json
import time
import uuid
from typing import Any

import pytest

from shared.event_log.worker_reports import Progress, WorkerReport, WorkerReports
from shared.protocol.run_states import Move, RunState
from tests.integration.web.api.http.operations.conftest import SECRET, Site, code, holds_contents
from tests.support.rows import run_row

_minutes = itertools.count(1)


def get(site: Site, name: str, path: str) -> dict[str, Any]:
    answer = site.client(name).get(path)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def report(site: Site, name: str, runs: dict[str, Progress], **fields: Any) -> WorkerReports:
    reports = WorkerReports(site.stand.commands)
    values = {"slots": 8, "takeover_slots": 2, "draining": False, **fields}
    reports.write(name, WorkerReport(runs=runs, **values))
    return reports


# -- workers ------------------------------------------------------------------------------------


def test_workers_are_shown_with_slots_and_leases(site: Site) -> None:
    run_id = site.client("alice").start("x")
    site.begin(run_id)
    reports = report(site, "worker", {})
    shown = get(site, "olga", "/api/queue")
    worker = next(one for one in shown["worker_list"] if one["worker"] == "worker")
    assert (worker["slots"], worker["takeover_slots"], worker["draining"]) == (8, 2, False)
    assert worker["live"] == len(worker["leases"]) > 0
    lease = next(one for one in worker["leases"] if one["run_id"] == run_id)
    assert 0 < lease["ends_in"] <= 60
    assert shown["worker_slots"] == {"in_use": shown["live"], "total": 8}
    reports.remove("worker")


def test_a_worker_that_does_not_report_has_unknown_slots(site: Site) -> None:
    site.begin(site.client("alice").start("x"))
    other = report(site, "another:1:x", {}, draining=True)
    shown = get(site, "olga", "/api/queue")
    by_name = {one["worker"]: one for one in shown["worker_list"]}
    assert (by_name["worker"]["slots"], by_name["worker"]["reported"]) == (None, None)
    assert (by_name["another:1:x"]["live"], by_name["another:1:x"]["draining"]) == (0, True)
    assert shown["worker_slots"]["total"] is None
    other.remove("another:1:x")


def test_users_are_shown_no_workers(site: Site) -> None:
    shown = get(site, "alice", "/api/queue")
    assert (shown["worker_list"], shown["worker_slots"], shown["flower_url"]) == (None, None, None)


def test_a_live_run_has_the_progress_that_its_own_worker_reports(site: Site) -> None:
    run_id = site.client("alice").start("x")
    site.begin(run_id)
    former = report(site, "former", {run_id: Progress(1.0, 99_999)})
    reports = report(site, "worker", {run_id: Progress(time.time(), 321)})
    for path in ("/api/runs?limit=100", "/api/queue"):
        shown = get(site, "olga", path)
        runs = {run["run_id"]: run for run in shown.get("data", shown.get("runs", []))}
        assert runs[run_id]["characters"] == 321
    assert get(site, "olga", f"/api/runs/{run_id}")["first_token_at"] > 1e9
    reports.remove("worker")
    former.remove("former")
    assert get(site, "olga", f"/api/runs/{run_id}")["characters"] is None


# -- one run ------------------------------------------------------------------------------------


def test_the_first_token_is_kept_with_the_end(site: Site) -> None:
    run_id = site.client("alice").start("x")
    site.begin(run_id)
    steps = [{"at": 1_800_000_000.0, "step": "first_token"}]
    site.end(run_id, Move.COMPLETE, timeline={"steps": steps, "left_out": 0})
    assert get(site, "olga", f"/api/runs/{run_id}")["first_token_at"] == 1_800_000_000.0
    assert get(site, "alice", f"/api/runs/{run_id}")["worker"] is None
    assert code(site.client("bob").get(f"/api/runs/{run_id}")) == (404, "run_not_found")


def test_events_are_names_and_times_and_contents_for_the_owner_alone(
    site: Site, session_id: str
) -> None:
    run_id = site.client("alice").start(SECRET, session_id)
    run = site.begin(run_id, session_id)
    run.append("run.started", timestamp=1_800_000_000.0, attempt=1)
    run.say(SECRET, "more")
    run.append("tool.started", tool="ls", preview=SECRET, timestamp=1_800_000_001.0)
    path = f"/api/runs/{run_id}/log"
    for name in ("olga", "adam"):
        answer = site.client(name).get(path)
        assert not holds_contents(answer)
        shown = answer.json()
        assert [(one["event"], one["characters"]) for one in shown["data"]] == [
            ("run.started", None),
            ("message.delta", len(SECRET)),
            ("message.delta", 4),
            ("tool.started", None),
        ]
        assert {one["payload"] for one in shown["data"]} == {None}
    assert (shown["available"], shown["ended"], shown["head"]) == (True, False, 4)
    assert holds_contents(site.client("alice").get(path))
    page = get(site, "olga", f"{path}?after=1&limit=2")
    assert ([one["seq"] for one in page["data"]], page["has_more"]) == ([2, 3], True)
    assert code(site.client("bob").get(path)) == (404, "run_not_found")


def test_without_a_log_there_is_a_run_all_the_same(site: Site) -> None:
    run_id = site.client("alice").start("x")
    shown = get(site, "olga", f"/api/runs/{run_id}/log")
    assert (shown["available"], shown["data"], shown["ended"]) == (False, [], False)


def test_administrators_stop_the_run_of_anybody(site: Site) -> None:
    live, waiting = (site.client("alice").start("x") for _ in range(2))
    site.begin(live)
    for name in ("alice", "bob", "olga"):
        assert code(site.client(name).post(f"/api/runs/{live}/stop")) == (403, "forbidden")
    assert run_row(site.stand.db, live).state == RunState.RUNNING
    stopped = [site.client("adam").post(f"/api/runs/{run}/stop") for run in (live, live, waiting)]
    assert [answer.json()["status"] for answer in stopped] == ["stopping", "stopping", "cancelled"]
    assert run_row(site.stand.db, live).state == RunState.STOPPING
    again = site.client("adam").post(f"/api/runs/{waiting}/stop")
    assert code(again) == (404, "run_not_found")
    none = site.client("adam").post(f"/api/runs/run_{uuid.uuid4().hex}/stop")
    assert code(none) == (404, "run_not_found")


# -- counts and plots ---------------------------------------------------------------------------


def fresh_counts(site: Site, name: str, query: str = "") -> dict[str, Any]:
    """Past what is kept for some seconds: each `since` is kept by itself."""
    return get(site, name, f"/api/runs/counts?since={60 * next(_minutes)}{query}")


def test_counts_say_what_each_filter_would_show(site: Site) -> None:
    before = fresh_counts(site, "olga")["statuses"]
    mine = fresh_counts(site, "bob")
    site.failed("alice")
    site.client("alice").start("x")
    after = fresh_counts(site, "olga")
    assert after["statuses"].get("failed", 0) - before.get("failed", 0) == 1
    assert after["statuses"].get("queued", 0) - before.get("queued", 0) == 1
    assert "alice" in [one["key"] for one in after["owners"]]
    failed = fresh_counts(site, "olga", "&status=failed")
    assert failed["statuses"] == after["statuses"]
    assert [one["count"] for one in failed["profiles"]] == [after["statuses"]["failed"]]
    assert "gateway_error" in [one["key"] for one in failed["reasons"]]
    assert fresh_counts(site, "bob")["statuses"] == mine["statuses"]
    none = dict.fromkeys(mine["statuses"], 0)
    assert fresh_counts(site, "bob", "&owner=alice")["statuses"] == none
    assert mine["owners"] == []


def test_counts_agree_with_the_list(site: Site) -> None:
    site.failed("alice")
    counts = fresh_counts(site, "olga")["statuses"]
    for status, count in counts.items():
        listed = get(site, "olga", f"/api/runs?limit=100&status={status}")
        assert listed["has_more"] or len(listed["data"]) == count, status


def test_plots_have_all_buckets_and_no_contents(site: Site) -> None:
    site.failed("alice")
    for window, count in (("hour", 60), ("day", 48), ("week", 84)):
        stats = get(site, "olga", f"/api/runs/stats?window={window}")
        assert len(stats["buckets"]) == count
        assert sum(one["outcomes"].get("failed", 0) for one in stats["buckets"]) > 0
        assert all(len(one["live"]) == len(stats["profiles"]) for one in stats["buckets"])
        assert SECRET not in json.dumps(stats)
    assert site.client("olga").get("/api/runs/stats?window=year").status_code == 400


def test_plots_have_tokens_by_day_and_model(site: Site) -> None:
    owner = f"owner-{uuid.uuid4().hex}"
    site.spend(owner, time.time(), model="big", input_tokens=3, output_tokens=4)
    usage = get(site, "olga", "/api/runs/stats?window=day")["usage"]
    # What is kept for some seconds may be from before.
    assert all(len(one["day"]) == 10 for one in usage)


def test_a_user_is_shown_plots_of_their_own_runs(site: Site) -> None:
    site.failed("alice")
    his = get(site, "bob", "/api/runs/stats?window=week")
    assert his["scope"] == "own"
    assert not any(one["outcomes"].get("failed") for one in his["buckets"])


@pytest.mark.parametrize("query", ["since=x", "since=-1", "status=no", "owner=%00"])
def test_counts_of_nonsense_are_refused(site: Site, query: str) -> None:
    assert site.client("olga").get(f"/api/runs/counts?{query}").status_code == 400


def test_the_list_is_restricted_by_worker_session_and_reason(site: Site, session_id: str) -> None:
    failed = site.failed("alice", session_id)

    def ids(name: str, query: str) -> list[str]:
        found = get(site, name, f"/api/runs?limit=100&{query}")["data"]
        return [run["run_id"] for run in found]

    assert ids("olga", f"session={session_id}") == [failed]
    assert failed in ids("olga", "reason=gateway_error")
    assert failed not in ids("olga", "reason=timeout")
    assert failed in ids("olga", "worker=worker")
    assert ids("olga", "worker=nobody") == []
    assert failed in ids("alice", "worker=nobody")  # names of servers are for operators
