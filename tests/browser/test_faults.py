"""The page while things fail: nothing is lost, and the page says what is going on."""

from __future__ import annotations

from tests.browser.conftest import Tab
from tests.browser.test_chat import SLOW, WHOLE
from tests.support.servers.stack import Stack

LOST = ("WebSocket", "Failed to load resource", "ERR_")


def test_the_web_process_is_killed_in_mid_answer(tab: Tab, stack: Stack) -> None:
    tab.expect_fault(*LOST)
    tab.send(SLOW)
    tab.wait_for_text("t20 ")
    stack.restart_web(0)
    tab.wait_for_text("t120")
    tab.wait_for_rest()
    assert tab.answer() == WHOLE
    assert tab.page.locator(".prompt").count() == 1


def test_what_was_written_offline_is_sent_once_afterwards(tab: Tab) -> None:
    tab.expect_fault(*LOST)
    tab.page.context.set_offline(True)
    tab.page.evaluate("() => window.dispatchEvent(new Event('focus'))")
    tab.wait_for_state("No connection for")
    tab.send("Written offline.")
    tab.page.locator(".prompt", has_text="Not sent yet").wait_for()
    tab.page.context.set_offline(False)
    tab.wait_for_text("You wrote: “Written offline.”")
    tab.wait_for_rest()
    assert tab.page.locator(".prompt").count() == 1
    assert tab.page.locator(".sending").count() == 0


def test_an_answer_goes_on_while_the_page_is_offline(tab: Tab) -> None:
    tab.expect_fault(*LOST)
    tab.send(SLOW)
    tab.wait_for_text("t20 ")
    tab.page.context.set_offline(True)
    tab.page.evaluate("() => window.dispatchEvent(new Event('focus'))")
    tab.wait_for_state("No connection for")
    tab.page.context.set_offline(False)
    tab.wait_for_text("t120")
    tab.wait_for_rest()
    assert tab.answer() == WHOLE


def test_a_token_that_ends_leads_to_the_sign_in_and_keeps_the_draft(tab: Tab) -> None:
    tab.expect_fault(*LOST)
    tab.page.fill("#message", "not sent yet")
    tab.page.click("button:has-text('Sign out')")
    tab.page.locator("#token").wait_for()
    tab.page.fill("#token", "the-token-of-the-tests")
    tab.page.press("#token", "Enter")
    tab.wait_for_state("Live")
    assert tab.page.input_value("#message") == "not sent yet"
