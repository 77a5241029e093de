"""After a reload everything is as it was before."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import Tab

FAILS = '[[demo {"tokens": 5, "end": "failed"}]]'
ASKS = (
    '[[demo {"tokens": 40, "rate": 40, "approval": ['
    '{"after": 10, "command": "first"}, {"after": 10, "command": "second"}]}]]'
)


def test_why_a_turn_failed_is_there_also_after_later_turns(tab: Tab) -> None:
    tab.send(FAILS)
    ending = tab.page.locator(".ending", has_text="This run failed.")
    ending.wait_for()
    tab.wait_for_rest()
    said = ending.inner_text()
    why = said.partition("This run failed.")[2].partition("\n")[0].strip()
    assert why
    tab.page.reload()
    expect(ending).to_contain_text(why)
    tab.send("Go on.")
    tab.wait_for_text("You wrote: “Go on.”")
    tab.wait_for_rest()
    tab.page.reload()
    tab.wait_for_text("You wrote: “Go on.”")
    expect(ending).to_contain_text(why)


def test_a_turn_that_was_stopped_before_it_said_anything(tab: Tab) -> None:
    tab.send('[[demo {"tokens": 20, "first_delay": 60}]]')
    tab.page.click("button:has-text('Stop')")
    ending = tab.page.locator(".ending", has_text="Stopped.")
    ending.wait_for()
    tab.wait_for_rest()
    tab.page.reload()
    ending.wait_for()
    expect(tab.page.locator(".ending", has_text="no answer")).to_have_count(0)


def test_all_open_questions_are_there(tab: Tab) -> None:
    tab.send(ASKS)
    questions = tab.page.locator(".question")
    expect(questions).to_have_count(2)
    tab.page.reload()
    expect(questions).to_have_count(2)
    expect(questions.nth(0)).to_contain_text("first")
    expect(questions.nth(1)).to_contain_text("second")
    questions.nth(0).locator("text=Allow once").click()
    expect(questions).to_have_count(1)
    questions.nth(0).locator("text=Deny").click()
    expect(questions).to_have_count(0)
    tab.wait_for_text("t40")
    tab.wait_for_rest()
