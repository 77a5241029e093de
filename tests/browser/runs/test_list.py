"""The list of runs: it is live, it keeps still under the reader, and it has its filters."""

from __future__ import annotations

from playwright.sync_api import Locator, expect

from tests.browser.conftest import Tab
from tests.browser.runs.conftest import SECRET, Desk, asked
from tests.support.http_api import ApiClient
from tests.support.servers.stack import Stack


def row(tab: Tab, run_id: str) -> Locator:
    return tab.page.locator(f"tr[data-run='{run_id}']")


def status(tab: Tab, run_id: str, word: str) -> None:
    """Wait until the row of the run says it."""
    expect(row(tab, run_id).locator(".status")).to_have_text(word, timeout=20_000)


def test_an_operator_sees_a_run_come_live_and_end(
    desk: Desk, stack: Stack, alice: ApiClient, session_id: str
) -> None:
    tab = desk.open("olga")
    tab.page.locator(".connection-live").wait_for()
    run_id = alice.start(asked(tokens=120, rate=20), session_id)
    status(tab, run_id, "Running")
    expect(row(tab, run_id)).to_contain_text("≈", timeout=20_000)
    expect(row(tab, run_id)).to_contain_text("alice")
    status(tab, run_id, "Completed")
    expect(row(tab, run_id)).not_to_contain_text("≈")
    assert stack.run_row(run_id).first_token_at is not None


def test_rows_keep_their_places_while_somebody_is_among_them(
    desk: Desk, alice: ApiClient, session_id: str
) -> None:
    first = alice.start(asked(tokens=1), session_id)
    tab = desk.open("olga")
    status(tab, first, "Completed")
    link = row(tab, first).locator("a")
    link.focus()
    before = link.bounding_box()
    second = alice.start(asked(tokens=1), session_id)
    button = tab.page.get_by_role("button", name="1 new run", exact=True)
    button.wait_for()
    assert link.bounding_box() == before
    assert row(tab, second).count() == 0
    assert tab.page.evaluate("() => document.activeElement.closest('tr').dataset.run") == first
    button.click()
    row(tab, second).wait_for()


def test_arrow_keys_go_from_run_to_run_and_enter_opens_one(
    desk: Desk, alice: ApiClient, session_id: str
) -> None:
    first, second = (alice.start(asked(tokens=1), session_id) for _ in range(2))
    tab = desk.open("olga", f"/runs?session={session_id}")
    status(tab, second, "Completed")
    row(tab, second).locator("a").focus()
    tab.page.keyboard.press("ArrowDown")
    assert tab.page.evaluate("() => document.activeElement.closest('tr').dataset.run") == first
    tab.page.keyboard.press("Enter")
    tab.page.get_by_role("heading", name=first).wait_for()
    assert tab.page.url.endswith(f"/runs/{first}")
    tab.page.go_back()
    row(tab, first).wait_for()


def test_filters_have_counts_and_are_in_the_address(
    desk: Desk, alice: ApiClient, session_id: str
) -> None:
    good = alice.start(asked(tokens=1), session_id)
    bad = alice.start(asked(tokens=2, end="failed"), session_id)
    tab = desk.open("olga", f"/runs?session={session_id}")
    status(tab, bad, "Failed")
    failed = tab.page.get_by_role("link", name="Failed")
    expect(failed.locator(".chip-count")).not_to_have_text("0", timeout=20_000)
    failed.click()
    expect(row(tab, good)).to_have_count(0)
    row(tab, bad).wait_for()
    assert f"session={session_id}" in tab.page.url
    assert "status=failed" in tab.page.url
    tab.page.get_by_label("Reason").select_option("gateway_error")
    row(tab, bad).wait_for()
    tab.page.reload()
    row(tab, bad).wait_for()
    tab.page.get_by_role("link", name="Interrupted").click()
    tab.page.locator(".empty").wait_for()
    tab.page.get_by_text("Clear filters").click()
    assert tab.page.url.endswith("/runs")


def test_a_user_sees_their_own_runs_and_is_told_so(
    desk: Desk, alice: ApiClient, stack: Stack
) -> None:
    hers = alice.start(asked(tokens=1))
    his = ApiClient(stack.url, "token-of-bob").start(asked(tokens=1))
    tab = desk.open("bob")
    row(tab, his).wait_for()
    assert row(tab, hers).count() == 0
    tab.page.get_by_text("You see your own runs").wait_for()
    assert "alice" not in tab.page.content()


def test_without_a_connection_it_says_of_when_it_is_and_goes_on_by_itself(
    desk: Desk, alice: ApiClient, session_id: str
) -> None:
    first = alice.start(asked(tokens=1), session_id)
    tab = desk.open("olga")
    tab.expect_fault("ERR_INTERNET_DISCONNECTED")
    status(tab, first, "Completed")
    tab.page.context.set_offline(True)
    tab.page.locator(".list-head .connection-needs", has_text="There is no connection").wait_for()
    assert row(tab, first).is_visible()
    tab.page.context.set_offline(False)
    tab.page.locator(".list-head .connection-live").wait_for()


def test_no_text_of_a_message_reaches_an_operator(
    desk: Desk, alice: ApiClient, session_id: str
) -> None:
    script = {"say": f"{SECRET} x", "tools": [{"after": 1, "name": "ls", "output": SECRET}]}
    done = alice.start(asked(**script), session_id)
    failed = alice.start(asked(tokens=2, end="failed", error=SECRET), session_id)
    live = alice.start(asked(tokens=400, rate=20), session_id)
    for name in ("olga", "adam"):
        tab = desk.open(name)
        status(tab, failed, "Failed")
        status(tab, live, "Running")
        assert SECRET not in tab.page.content()
        for run_id in (done, failed, live):
            tab.page.goto(f"{tab.page.url.split('/runs')[0]}/runs/{run_id}")
            tab.page.locator(".timeline").wait_for()
            tab.page.locator(".events code").first.wait_for()
            assert SECRET not in tab.page.content()
        tab.page.goto(f"{tab.page.url.split('/runs')[0]}/runs/overview")
        tab.page.locator(".plot").first.wait_for()
        assert SECRET not in tab.page.content()
    assert len([answer for answer in desk.answers if answer.startswith("{")]) > 20
    assert not [answer for answer in desk.answers if SECRET in answer]
    alice.post(f"/v1/runs/{live}/stop")
