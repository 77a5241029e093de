"""The views serve everybody: no barrier, both themes, also on a phone; and the overview."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.conftest import Tab
from tests.browser.runs.conftest import FLOWER, Desk, asked
from tests.browser.test_views import WIDTHS, barriers
from tests.support.http_api import ApiClient
from tests.support.servers.stack import Stack

THEMES: list[Any] = ["light", "dark"]


@pytest.fixture(scope="module")
def runs(stack: Stack) -> list[str]:
    """One that is live, and some that have ended, one of them badly."""
    alice = ApiClient(stack.url, "token-of-alice")
    done = [alice.start(asked(tokens=3, tools=[{"after": 1, "name": "ls"}])) for _ in range(3)]
    failed = alice.start(asked(tokens=2, end="failed"))
    live = alice.start(asked(tokens=4000, rate=20))
    for run_id in done:
        stack.wait_for_row(run_id, state="completed")
    stack.wait_for_row(failed, state="failed")
    stack.wait_for_row(live, state="running")
    return [live, failed, *done]


def check(tab: Tab, axe: str) -> None:
    """At each width, and in both themes."""
    for theme in THEMES:
        tab.page.emulate_media(color_scheme=theme)
        for width in WIDTHS:
            tab.page.set_viewport_size({"width": width, "height": 800})
            assert barriers(tab, axe) == [], (theme, width)
            fits = "() => document.documentElement.scrollWidth <= innerWidth"
            assert tab.page.evaluate(fits), width


def test_the_list(desk: Desk, runs: list[str], axe: str) -> None:
    tab = desk.open("olga")
    tab.page.locator(f"tr[data-run='{runs[0]}']").wait_for()
    check(tab, axe)


def test_an_empty_list(desk: Desk, axe: str) -> None:
    tab = desk.open("olga", "/runs?profile=nobody")
    tab.page.locator(".empty").wait_for()
    check(tab, axe)


def test_a_run(desk: Desk, runs: list[str], axe: str) -> None:
    tab = desk.open("adam", f"/runs/{runs[0]}")
    tab.page.locator("tr[data-step=first_token]").wait_for()
    tab.page.get_by_role("button", name="Stop").click()
    check(tab, axe)


def test_the_overview(desk: Desk, runs: list[str], axe: str) -> None:
    tab = desk.open("adam", "/runs/overview")
    tab.page.locator(".plot canvas").first.wait_for()
    for summary in tab.page.locator(".plot summary").all()[:2]:
        summary.click()
    check(tab, axe)
    assert tab.page.locator(f"a[href='{FLOWER}']").count() == 1


def test_the_overview_has_workers_with_slots_and_leases(desk: Desk, runs: list[str]) -> None:
    tab = desk.open("olga", "/runs/overview")
    workers = tab.page.locator("tr[data-worker]")
    workers.nth(1).wait_for()
    tab.page.locator("tr[data-worker]", has_text=" of ").first.wait_for()
    assert tab.page.get_by_text("takes runs").count() >= 1
    for window in ("Last day", "Last week"):
        tab.page.get_by_role("link", name=window).click()
        tab.page.locator(".plot canvas").first.wait_for()


def test_the_room_is_loaded_only_where_it_is_wanted(desk: Desk) -> None:
    tab = desk.open("olga", "/")
    tab.page.locator(".composer").wait_for()
    loaded = "() => performance.getEntriesByType('resource').map((one) => one.name)"
    assert not [name for name in tab.page.evaluate(loaded) if "runs_room" in name]
