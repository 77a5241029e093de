"""The page of a run: its timeline, its events, what an administrator may do."""

from __future__ import annotations

import signal

from playwright.sync_api import expect

from tests.browser.runs.conftest import SECRET, Desk, asked
from tests.support.http_api import ApiClient
from tests.support.servers.stack import Stack


def test_a_run_that_was_taken_over_has_a_lane_for_each_worker(
    desk: Desk, stack: Stack, alice: ApiClient, session_id: str
) -> None:
    run_id = alice.start(asked(tokens=200, rate=20), session_id)
    tab = desk.open("olga", f"/runs/{run_id}")
    tab.page.locator("tr[data-step=first_token]").wait_for()
    assert tab.page.locator(".lane[data-lane='1']").count() == 1
    assert tab.page.locator(".lane[data-lane='2']").count() == 0
    former = stack.owner_of(run_id)
    former.signal(signal.SIGKILL)
    former.wait()
    tab.page.locator(".lane[data-lane='2']").wait_for()
    tab.page.locator("tr[data-step=reattached]").wait_for()
    expect(tab.page.locator(".status").first).to_have_text("Completed", timeout=60_000)
    assert tab.page.locator(".lane[data-lane='2']").count() == 1
    tab.page.get_by_text("taken over from another worker").wait_for()
    expect(tab.page.locator(".facts")).to_contain_text("taken over")
    stack.workers.remove(former)
    stack.add_worker()


def test_marks_say_when_they_were(desk: Desk, alice: ApiClient, session_id: str) -> None:
    run_id = alice.start(asked(tokens=5, tools=[{"after": 2, "name": "ls"}]), session_id)
    tab = desk.open("olga", f"/runs/{run_id}")
    tab.page.locator(".mark-ended").wait_for()
    tab.page.locator(".mark-ended").hover()
    expect(tab.page.locator(".pointed")).to_contain_text("Ended")
    assert tab.page.locator(".bar-tool").count() == 1
    steps = tab.page.locator("tr[data-step]").evaluate_all("rows => rows.map(r => r.dataset.step)")
    assert steps[:4] == ["queued", "claimed", "posted", "started"]
    assert steps[-1] == "ended"


def test_contents_of_events_are_for_their_owner(
    desk: Desk, alice: ApiClient, session_id: str
) -> None:
    run_id = alice.start(asked(say=f"{SECRET} and more"), session_id)
    hers = desk.open("alice", f"/runs/{run_id}")
    hers.page.locator(".mark-ended").wait_for()
    expect(hers.page.locator(".events")).to_contain_text("and more")
    theirs = desk.open("olga", f"/runs/{run_id}")
    theirs.page.locator(".events code").first.wait_for()
    expect(theirs.page.locator(".events")).not_to_contain_text("and more")


def test_an_administrator_stops_a_run_and_starts_a_failed_one_again(
    desk: Desk, alice: ApiClient, session_id: str
) -> None:
    live = alice.start(asked(tokens=900, rate=20))
    tab = desk.open("adam", f"/runs/{live}")
    tab.page.locator("tr[data-step=first_token]").wait_for()
    tab.page.get_by_role("button", name="Stop").click()
    tab.page.get_by_role("button", name="Stop it").click()
    expect(tab.page.locator(".status").first).to_have_text("Cancelled", timeout=30_000)
    failed = alice.start(asked(tokens=2, end="failed"), session_id)
    again = desk.open("adam", f"/runs/{failed}")
    again.page.get_by_role("button", name="Run again").click()
    again.page.locator(".actions a[href^='/runs/run_']").click()
    expect(again.page).not_to_have_url(f"{failed}$")


def test_an_operator_has_no_button_that_would_be_refused(
    desk: Desk, alice: ApiClient, session_id: str
) -> None:
    run_id = alice.start(asked(tokens=100, rate=20), session_id)
    tab = desk.open("olga", f"/runs/{run_id}")
    tab.page.locator("tr[data-step=first_token]").wait_for()
    assert tab.page.locator(".actions button, .actions a").count() == 0


def test_a_run_of_somebody_else_is_none(desk: Desk, alice: ApiClient, session_id: str) -> None:
    run_id = alice.start(asked(tokens=1), session_id)
    tab = desk.open("bob", f"/runs/{run_id}")
    tab.expect_fault("404")
    tab.page.get_by_text("There is no such run").wait_for()
