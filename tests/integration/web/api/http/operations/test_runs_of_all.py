"""The runs of all: who sees which, never their contents; and failed ones that start again."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from shared.db.runs.terminal import mark_announced
from shared.protocol.run_states import Move
from tests.integration.web.api.http.operations.conftest import SECRET, Site, code, holds_contents
from tests.support.rows import messages, run_row


def ids(site: Site, name: str, query: str = "") -> list[str]:
    answer = site.client(name).get(f"/api/runs?limit=100{query}")
    assert answer.status_code == 200, answer.text
    return [run["run_id"] for run in answer.json()["data"]]


def test_an_operator_sees_the_runs_of_all_and_a_user_their_own(site: Site) -> None:
    hers, his = site.client("alice").start("x"), site.client("bob").start("x")
    assert {hers, his} <= set(ids(site, "olga"))
    assert {hers, his} <= set(ids(site, "adam"))
    assert hers in ids(site, "alice")
    assert his not in ids(site, "alice")
    assert ids(site, "alice", "&owner=bob") == []
    assert his in ids(site, "bob", "&owner=bob")


def test_nobody_is_shown_contents(site: Site, session_id: str) -> None:
    run_id = site.failed("alice", session_id)
    for name in ("olga", "adam", "alice"):
        for path in ("/api/runs", "/api/queue", f"/api/runs/{run_id}/timeline", "/api/usage"):
            assert not holds_contents(site.client(name).get(path)), (name, path)
    shown = next(
        run
        for run in site.client("olga").get("/api/runs").json()["data"]
        if run["run_id"] == run_id
    )
    assert (shown["status"], shown["reason"]) == ("failed", "gateway_error")
    assert (shown["owner"], shown["session_id"], shown["worker"]) == ("alice", session_id, "worker")


def test_names_of_servers_are_for_operators(site: Site) -> None:
    run_id = site.failed("alice")
    assert site.client("alice").get("/api/runs").json()["data"][0]["worker"] is None
    assert site.client("alice").get(f"/api/runs/{run_id}/timeline").json()["worker"] is None


def test_filters_restrict_the_list(site: Site) -> None:
    begun = time.time() - 1
    failed, waiting = site.failed("alice"), site.client("bob").start("x")
    assert failed in ids(site, "olga", "&status=failed")
    assert waiting not in ids(site, "olga", "&status=failed")
    assert waiting in ids(site, "olga", "&status=queued")
    assert failed not in ids(site, "olga", "&status=queued")
    assert ids(site, "olga", "&owner=bob&status=queued")[:1] == [waiting]
    assert failed in ids(site, "olga", f"&since={begun}&profile=default")
    assert ids(site, "olga", f"&until={begun - 3600}") == []
    assert ids(site, "olga", "&profile=nobody") == []
    assert failed in ids(site, "olga", "&profile=&owner=&status=&since=&cursor=")


def test_pages_follow_each_other_without_gap_or_repetition(site: Site) -> None:
    made = [site.client("bob").start("x") for _ in range(5)]
    seen: list[str] = []
    cursor = ""
    while len(seen) < 5:
        page = site.client("olga").get(f"/api/runs?owner=bob&limit=2{cursor}").json()
        seen += [run["run_id"] for run in page["data"]]
        cursor = f"&cursor={page['next_cursor']}"
    assert seen[:5] == made[::-1]


@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", "limit=101", "limit=x", "status=no", "since=nan", "since=-1", "until=inf"),
        *("since=1e300", "owner=%00", "owner=" + "x" * 300, "cursor=no", "cursor=%ff"),
    ],
)
def test_a_query_that_makes_no_sense_is_refused(site: Site, query: str) -> None:
    assert site.client("olga").get(f"/api/runs?{query}").status_code == 400


# -- again --------------------------------------------------------------------------------------


def retry(site: Site, run_id: str, name: str = "adam") -> Any:
    return site.client(name).post(f"/api/runs/{run_id}/retry")


def test_a_failed_run_starts_again_in_its_session_once(site: Site, session_id: str) -> None:
    run_id = site.failed("alice", session_id)
    first, second = retry(site, run_id), retry(site, run_id)
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json() == second.json()
    assert second.headers["Idempotency-Replayed"] == "true"
    assert first.json()["retry_of"] == run_id
    again = run_row(site.stand.db, first.json()["run_id"])
    assert (again.owner, again.session_id, again.input) == ("alice", session_id, SECRET)
    assert not holds_contents(first)
    site.stand.db.write(lambda tx: mark_announced(tx, run_id))
    site.stand.claim(again.id)
    prompts = [m.content for m in messages(site.stand.db, session_id, owner="alice")]
    assert prompts == [SECRET, SECRET]


def test_it_starts_again_with_the_history_that_it_brought(site: Site, session_id: str) -> None:
    history = [{"role": "user", "content": "before"}]
    said = {"input": "x", "session_id": session_id, "conversation_history": history}
    run_id = site.client("alice").post("/v1/runs", said).json()["run_id"]
    site.begin(run_id)
    site.end(run_id, Move.FAIL, reason="timeout")
    again = run_row(site.stand.db, retry(site, run_id).json()["run_id"])
    assert (again.session_id, again.history) == (session_id, history)


def test_of_many_at_once_there_is_one_new_run(site: Site) -> None:
    run_id = site.failed("alice")
    with ThreadPoolExecutor(8) as pool:
        answers = [*pool.map(lambda _: retry(site, run_id), range(8))]
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["run_id"] for answer in answers}) == 1


def test_the_new_run_may_be_tried_again_when_it_fails(site: Site) -> None:
    run_id = site.failed("alice")
    second = retry(site, run_id).json()["run_id"]
    assert code(retry(site, second)) == (409, "run_not_failed")
    site.begin(second)
    site.end(second, Move.FAIL, reason="timeout")
    third = retry(site, second).json()["run_id"]
    assert len({run_id, second, third}) == 3


def test_only_administrators_start_runs_again(site: Site) -> None:
    run_id = site.failed("alice")
    for name in ("alice", "bob", "olga"):
        assert code(retry(site, run_id, name)) == (403, "forbidden")
    assert code(retry(site, f"run_{uuid.uuid4().hex}")) == (404, "run_not_found")


def test_a_key_of_a_client_is_not_that_of_a_retry(site: Site) -> None:
    run_id = site.failed("alice")
    key = {"Idempotency_Key": f"retry{run_id}"}
    mine = site.client("alice").post("/v1/runs", {"input": "other"}, **key).json()["run_id"]
    assert retry(site, run_id).json()["run_id"] != mine
