"""Talking to the agent: answers, tools, questions, the queue, several tabs."""

from __future__ import annotations

import time

from playwright.sync_api import expect

from shared import sign_in_code
from tests.browser.conftest import Tab, Tabs
from tests.support.servers.stack import TOKEN, Stack

SLOW = '[[demo {"tokens": 120, "rate": 40}]]'
WHOLE = " ".join(f"t{n}" for n in range(1, 121))
LONG = '[[demo {"tokens": 2000, "rate": 40}]]'
QUESTION = '[[demo {"tokens": 40, "rate": 40, "approval": {"after": 10}}]]'


def test_a_person_signs_in_with_the_token_and_talks(
    stack: Stack, tabs: Tabs, session_id: str
) -> None:
    tab = tabs(session_id)
    tab.page.context.clear_cookies()
    tab.page.reload()
    tab.page.fill("#token", "wrong")
    tab.page.click("button:has-text('Sign in')")
    tab.expect_fault("401")
    tab.page.locator("text=not valid here").wait_for()
    tab.page.fill("#token", TOKEN)
    tab.page.press("#token", "Enter")
    tab.wait_for_state("Live")
    tab.send("Say hello.")
    tab.wait_for_text("You wrote: “Say hello.”")
    tab.wait_for_rest()
    assert "no language model is behind it" in tab.answer()


def test_the_link_signs_in_and_leaves_the_address_bar(tabs: Tabs, stack: Stack) -> None:
    tab = tabs()
    tab.wait_for_state("Live")
    tab.page.context.clear_cookies()
    tab.page.goto("about:blank")  # else only the fragment would change
    tab.page.goto(f"{stack.url}/#code={sign_in_code.make(TOKEN, time.time())}")
    tab.wait_for_state("Live")
    assert tab.page.url == f"{stack.url}/"
    tab.page.locator("text=no model is behind it").wait_for()
    assert tab.page.locator(".demo-prompts button").count() == 3


def test_a_reload_in_mid_answer_shows_all_of_it(tab: Tab) -> None:
    tab.send(SLOW)
    tab.wait_for_text("t20 ")
    tab.page.reload()
    tab.wait_for_text("t30 ")
    tab.wait_for_text("t120")
    tab.wait_for_rest()
    assert tab.answer() == WHOLE


def test_a_second_tab_shows_the_same(tab: Tab, tabs: Tabs, session_id: str) -> None:
    tab.send(SLOW)
    tab.wait_for_text("t20 ")
    other = tabs(session_id)
    other.wait_for_text("t120")
    tab.wait_for_text("t120")
    tab.wait_for_rest()
    other.wait_for_rest()
    assert tab.answer() == other.answer() == WHOLE
    other.send("Hello from the other tab.")
    # What is out of sight, as the first prompt may be, is not in the document.
    for one in (tab, other):
        one.wait_for_text("You wrote: “Hello from the other tab.”")
        expect(one.page.locator(".prompt", has_text="Hello from the other tab.")).to_have_count(1)


def test_stop_keeps_what_was_said(tab: Tab) -> None:
    tab.send(LONG)
    tab.wait_for_text("t20 ")
    tab.page.click("button:has-text('Stop')")
    tab.page.locator(".ending", has_text="Stopped.").wait_for()
    tab.wait_for_rest()
    assert tab.answer().startswith("t1 t2 t3")


def test_a_question_is_answered_in_the_other_tab(tab: Tab, tabs: Tabs, session_id: str) -> None:
    tab.send(QUESTION)
    tab.page.locator(".question").wait_for()
    other = tabs(session_id)
    other.page.locator(".question", has_text="rm -rf ./demo").wait_for()
    other.page.click("button:has-text('Allow once')")
    tab.page.locator(".question").wait_for(state="detached")
    tab.wait_for_text("t40")
    other.wait_for_text("t40")


def test_messages_wait_and_can_be_taken_back(tab: Tab) -> None:
    tab.send(LONG)
    tab.wait_for_text("t5 ")
    tab.send("the first that waits")
    tab.send("the second that waits")
    waiting = tab.page.locator(".queue li")
    waiting.nth(1).wait_for()
    assert tab.page.locator(".prompt").count() == 1, "waiting messages are shown once"
    waiting.nth(0).locator("button[aria-label*=Cancel]").click()
    waiting.nth(1).wait_for(state="detached")
    waiting.nth(0).locator("button[aria-label*=Edit]").click()
    tab.page.locator(".queue").wait_for(state="detached")
    assert tab.page.input_value("#message") == "the second that waits"
    tab.page.click("button:has-text('Stop and send')")
    tab.wait_for_text("You wrote: “the second that waits”")


def test_a_tool_and_reasoning_are_folded(tab: Tab) -> None:
    tab.send("Count this with a tool.")
    tab.wait_for_text("You wrote")
    tab.wait_for_rest()
    tool = tab.page.locator("details.tool")
    tool.locator("summary", has_text="word_count").click()
    tool.locator("pre", has_text="words").wait_for()


def test_a_draft_survives_a_reload(tab: Tab) -> None:
    tab.page.fill("#message", "half a thought")
    tab.page.reload()
    tab.wait_for_state("Live")
    assert tab.page.input_value("#message") == "half a thought"
