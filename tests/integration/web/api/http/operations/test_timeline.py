"""The timeline of a run over HTTP: while it is live, after it, and for whom."""

from __future__ import annotations

import time
from typing import Any

from shared.db.runs.approvals import answer
from shared.db.runs.stop import ask_stop
from shared.protocol.run_states import Move
from tests.integration.web.api.http.operations.conftest import Site, code


def timeline(site: Site, run_id: str, name: str = "alice") -> dict[str, Any]:
    answered = site.client(name).get(f"/api/runs/{run_id}/timeline")
    assert answered.status_code == 200, answered.text
    found: dict[str, Any] = answered.json()
    return found


def words(report: dict[str, Any]) -> list[str]:
    return [step["step"] for step in report["steps"]]


def test_of_a_live_run_the_log_tells(site: Site, session_id: str) -> None:
    run_id = site.client("alice").start("x", session_id)
    assert (words(timeline(site, run_id)), timeline(site, run_id)["status"]) == (
        ["queued"],
        "queued",
    )
    log, begun = site.begin(run_id, session_id), time.time()
    log.append("run.started", attempt=1, timestamp=begun + 1)
    log.say("a", "b", "c")
    log.append("approval.request", command="rm", timestamp=begun + 2)
    approval_id = log.head
    log.append("run.reattached", mode="replay", timestamp=begun + 4)
    site.stand.db.write(lambda tx: answer(tx, run_id, approval_id, "deny"))
    report = timeline(site, run_id)
    assert report["source"] == "log"
    assert sorted(words(report)) == sorted(
        [
            *("queued", "claimed", "started", "first_token"),
            *("approval_requested", "approval_answered", "reattached"),
        ]
    )
    by_step = {step["step"]: step for step in report["steps"]}
    assert by_step["approval_requested"]["approval_id"] == approval_id
    assert by_step["approval_answered"]["choice"] == "deny"
    assert by_step["started"] == {"at": begun + 1, "step": "started", "attempt": 1}
    assert by_step["first_token"]["at"] is None
    assert report["steps"].index(by_step["first_token"]) > report["steps"].index(by_step["started"])


def test_what_was_stored_with_the_end_counts_before_the_log(site: Site) -> None:
    run_id = site.client("alice").start("x")
    log = site.begin(run_id)
    log.append("run.started", attempt=1, timestamp=5.0)
    site.stand.db.write(lambda tx: ask_stop(tx, "alice", None, run_id))
    seen = {"steps": [{"at": time.time() + 900, "step": "first_token"}], "left_out": 3}
    site.end(run_id, Move.ABORT, timeline=seen, reason="aborted")
    report = timeline(site, run_id)
    assert (report["source"], report["left_out"], report["status"]) == ("stored", 3, "cancelled")
    assert words(report) == ["queued", "claimed", "stop_requested", "first_token", "ended"]
    assert report["steps"][-1]["reason"] == "aborted"


def test_without_either_the_rows_tell(site: Site) -> None:
    run_id = site.client("alice").start("x")
    site.stand.claim(run_id)
    site.end(run_id, Move.FAIL, reason="timeout")
    report = timeline(site, run_id)
    assert (report["source"], words(report)) == ("rows", ["queued", "claimed", "ended"])


def test_it_is_for_its_owner_and_for_operators(site: Site) -> None:
    run_id = site.client("alice").start("x")
    path = f"/api/runs/{run_id}/timeline"
    assert code(site.client("bob").get(path)) == (404, "run_not_found")
    nobody = site.client("bob").get("/api/runs/run_nobody/timeline")
    assert code(nobody) == (404, "run_not_found")
    assert timeline(site, run_id, "olga")["owner"] == "alice"
    assert code(site.client("olga").get("/api/runs/%00/timeline"))[0] == 404
