"""Several tabs and devices, and coming back later: all show the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, WebSocketRoute
from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.db.models import RunRow
from tests.browser.conftest import Tab, Tabs
from tests.browser.test_chat import LONG, QUESTION, SLOW, WHOLE
from tests.support.page.chromium import signed_in
from tests.support.page.shown import tall
from tests.support.servers.processes import wait_until
from tests.support.servers.stack import Stack

# It must still be running when both devices have shown its beginning, on a busy machine as well.
LASTING = '[[demo {"tokens": 300, "rate": 20}]]'


@pytest.fixture
def phone(browser: Browser, stack: Stack) -> Iterator[Callable[[str], Tab]]:
    """Opens a session on another device, with a sign-in of its own."""
    context = signed_in(browser, stack.url, viewport={"width": 390, "height": 800}, has_touch=True)
    made: list[Tab] = []

    def open_session(session_id: str) -> Tab:
        made.append(Tab(context.new_page()))
        made[-1].page.goto(f"{stack.url}/?s={session_id}")
        made[-1].wait_for_state("Live")
        return made[-1]

    yield open_session
    assert [tab.unexpected() for tab in made] == [[] for _ in made]
    context.close()


def test_another_device_is_in_step(tab: Tab, phone: Callable[[str], Tab], session_id: str) -> None:
    other = phone(session_id)
    tab.send(LASTING)
    for one in (tab, other):
        one.wait_for_text("t20 ")
    other.send("From the phone.")
    for one in (tab, other):
        one.page.locator(".queue li", has_text="From the phone.").wait_for()
    for one in (tab, other):
        one.wait_for_text("You wrote: “From the phone.”")
        one.wait_for_rest()
        with tall(one.page):
            one.page.locator(".prompt").nth(1).wait_for()
            assert one.page.locator(".answer .prose").first.inner_text() == " ".join(
                f"t{n}" for n in range(1, 301)
            )
            assert one.page.locator(".prompt").count() == 2


def test_stop_in_the_other_tab(tab: Tab, tabs: Tabs, session_id: str) -> None:
    tab.send(LONG)
    tab.wait_for_text("t20 ")
    other = tabs(session_id)
    other.wait_for_text("t20 ")
    other.page.click("button:has-text('Stop')")
    for one in (tab, other):
        one.page.locator(".ending", has_text="Stopped.").wait_for()
        one.wait_for_rest()
    assert tab.answer() == other.answer()


def test_stopping_one_session_leaves_the_other_alone(tab: Tab, tabs: Tabs) -> None:
    tab.send(SLOW)
    other = tabs("browser-another")
    other.wait_for_state("Live")
    other.send(LONG)
    other.wait_for_text("t20 ")
    other.page.click("button:has-text('Stop')")
    other.page.locator(".ending", has_text="Stopped.").wait_for()
    tab.wait_for_text("t120")
    tab.wait_for_rest()
    assert tab.answer() == WHOLE


def test_who_returns_after_the_end_sees_all_of_it(
    tab: Tab, tabs: Tabs, stack: Stack, session_id: str
) -> None:
    tab.send(SLOW)
    tab.wait_for_text("t20 ")
    tab.page.close()
    wait_until(lambda: is_over(stack, session_id), within=30, what="the run is over")
    later = tabs(session_id)
    later.wait_for_text("t120")
    later.wait_for_rest()
    assert later.answer() == WHOLE
    assert later.page.locator(".working").count() == 0


def is_over(stack: Stack, session_id: str) -> bool:
    def work(tx: Session) -> bool:
        wanted = select(RunRow.announced_at).where(RunRow.session_id == session_id)
        return all(at is not None for at in tx.scalars(wanted))

    return stack.read(work)


def test_an_answer_to_a_question_that_is_gone_is_refused_and_said(
    tab: Tab, tabs: Tabs, session_id: str
) -> None:
    held: list[str | bytes] = []
    is_held = False
    sockets: list[WebSocketRoute] = []

    def pass_on(route: WebSocketRoute) -> None:
        server = route.connect_to_server()
        sockets.append(route)

        def heard(text: str | bytes) -> None:
            if is_held:
                held.append(text)
            else:
                route.send(text)

        server.on_message(heard)

    tab.send(QUESTION)
    tab.page.locator(".question").wait_for()
    other = tabs()
    other.page.route_web_socket("**/socket.io/**", pass_on)
    other.page.goto(tab.page.url)
    other.page.locator(".question").wait_for()
    is_held = True  # the other tab does not hear that the question is answered
    tab.page.click("button:has-text('Allow once')")
    tab.page.locator(".question").wait_for(state="detached")
    other.page.click("button:has-text('Deny')")
    other.page.locator(".question", has_text="You chose").wait_for()
    while not any("expired" in str(text) or "not_found" in str(text) for text in held):
        other.page.wait_for_timeout(20)
    is_held = False
    for text in held:
        sockets[-1].send(text)
    other.page.locator(".question").wait_for(state="detached")
    other.page.locator("[role=alert]").wait_for()
    for one in (tab, other):
        one.wait_for_text("t40")
        one.wait_for_rest()
    assert tab.answer() == other.answer()


def test_the_queue_is_the_same_in_all_tabs(tab: Tab, tabs: Tabs, session_id: str) -> None:
    tab.send(LONG)
    tab.wait_for_text("t5 ")
    other = tabs(session_id)
    other.wait_for_text("t5 ")
    other.send("waits first")
    tab.send("waits second")
    for one in (tab, other):
        one.page.locator(".queue li").nth(1).wait_for()
        assert one.page.locator(".queue li span").all_inner_texts() == [
            "waits first",
            "waits second",
        ]
    tab.page.locator(".queue li", has_text="waits first").get_by_label("Cancel").click()
    for one in (tab, other):
        one.page.locator(".queue li", has_text="waits first").wait_for(state="detached")
    other.page.fill("#message", "at once")
    other.page.click("button:has-text('Stop and send')")
    for one in (tab, other):
        one.wait_for_text("You wrote: “at once”")
        one.wait_for_rest()
    assert tab.page.locator(".prompt", has_text="waits first").count() == 0
