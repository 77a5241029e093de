"""Devices that sleep, and clocks that are wrong by hours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Route

from deploy.local.ports import LOOPBACK
from tests.browser.conftest import Tab, Tabs
from tests.browser.test_chat import SLOW, WHOLE
from tests.browser.test_faults import LOST
from tests.support.page.chromium import signed_in
from tests.support.servers.stack import Stack
from tests.support.servers.tcp_proxy import TcpProxy

# `clockOffset`: milliseconds by which this computer's clock is wrong.
WRONG_CLOCK = """
globalThis.clockOffset = 0;
globalThis.Date = class extends Date {
  constructor(...given) { given.length ? super(...given) : super(Date.now()); }
  static now() { return super.now() + clockOffset; }
};
"""
HOURS = 3_600_000


@pytest.fixture
def proxy(stack: Stack) -> Iterator[TcpProxy]:
    """A way to the server that can fall silent."""
    made = TcpProxy(stack.port)
    yield made
    made.stop()


@pytest.fixture
def far(browser: Browser, proxy: TcpProxy, session_id: str) -> Iterator[Tab]:
    """A tab that goes through the proxy."""
    url = f"http://{LOOPBACK}:{proxy.port}"
    context = signed_in(browser, url)
    tab = Tab(context.new_page())
    tab.expect_fault(*LOST)
    tab.page.goto(f"{url}/?s={session_id}")
    tab.wait_for_state("Live")
    yield tab
    assert tab.unexpected() == []
    context.close()


@contextmanager
def asleep(tab: Tab) -> Iterator[None]:
    """Inside, the page does nothing; then it gets the event that browsers send to a page that was
    frozen. (Chromium without a window does not freeze pages by itself.)"""
    session = tab.page.context.new_cdp_session(tab.page)
    paused: list[object] = []
    session.on("Debugger.paused", lambda event: paused.append(event))
    session.send("Debugger.enable")
    session.send("Debugger.pause")
    while not paused:
        tab.page.wait_for_timeout(20)
    yield
    session.send("Debugger.resume")
    session.detach()
    tab.page.evaluate("() => document.dispatchEvent(new Event('resume'))")


def test_a_page_that_was_frozen_catches_up(tab: Tab, tabs: Tabs, session_id: str) -> None:
    tab.send(SLOW)
    tab.wait_for_text("t20 ")
    with asleep(tab):
        other = tabs(session_id)
        other.wait_for_text("t120")
    tab.wait_for_text("t120")
    tab.wait_for_rest()
    assert tab.answer() == WHOLE


def test_a_page_whose_connection_died_in_its_sleep_notices_when_it_wakes_up(
    far: Tab, proxy: TcpProxy, tabs: Tabs, session_id: str
) -> None:
    far.send(SLOW)
    far.wait_for_text("t20 ")
    with asleep(far):
        proxy.swallow()
        other = tabs(session_id)
        other.wait_for_text("t120")
    far.wait_for_text("t120")
    far.wait_for_rest()
    assert far.answer() == WHOLE


@pytest.mark.parametrize("hours", [-5, 5])
def test_a_clock_that_is_wrong_by_hours(
    tab: Tab, tabs: Tabs, stack: Stack, session_id: str, hours: int
) -> None:
    tab.page.add_init_script(f"{WRONG_CLOCK} clockOffset = {hours * HOURS};")
    tab.expect_fault(*LOST)
    tab.page.reload()
    tab.wait_for_state("Live")
    tab.send(SLOW)
    tab.wait_for_text("t20 ")
    stack.restart_web(0)
    tab.wait_for_text("t120")
    tab.wait_for_rest()
    assert tab.answer() == WHOLE
    assert "NaN" not in tab.page.locator("body").inner_text()


def test_messages_keep_their_order_when_the_clock_is_set_back(tab: Tab) -> None:
    tab.page.add_init_script(WRONG_CLOCK)
    tab.expect_fault(*LOST)
    tab.page.reload()
    tab.wait_for_state("Live")
    tab.page.context.set_offline(True)
    tab.page.evaluate("() => window.dispatchEvent(new Event('focus'))")
    tab.wait_for_state("No connection for")
    tab.send("Written first.")
    tab.page.evaluate(f"() => {{ clockOffset = {-5 * HOURS}; }}")
    tab.send("Written second.")
    shown = tab.page.locator(".prompt > p:first-child")
    shown.nth(1).wait_for()
    assert shown.all_inner_texts() == ["Written first.", "Written second."]
    tab.page.context.set_offline(False)
    tab.wait_for_text("You wrote: “Written second.”")
    tab.wait_for_rest()
    assert shown.all_inner_texts() == ["Written first.", "Written second."]


@pytest.mark.timeout(240)
def test_a_page_that_asks_over_a_dead_connection_does_not_wait_for_ever(
    far: Tab, proxy: TcpProxy
) -> None:
    def fall_silent(route: Route) -> None:
        proxy.swallow()
        route.continue_()

    # Each of the six connections that a browser has to one server may be dead: 10 s until that
    # shows, and 3 until the next is asked.
    far.page.set_default_timeout(90_000)
    far.page.route("**/page/info", fall_silent)
    far.page.reload(wait_until="commit")
    far.page.locator("text=The server cannot be reached").wait_for()
    far.page.unroute("**/page/info")
    far.wait_for_state("Live")
