"""What users of other pages complain about, each as a test."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.conftest import Tab, Tabs
from tests.browser.test_chat import LONG, SLOW, WHOLE
from tests.browser.test_faults import LOST

SENTENCES = "The first sentence is here. And 2.5 is the second one! Is this the third? Yes."


def test_going_to_another_session_and_back_loses_nothing(tab: Tab, session_id: str) -> None:
    tab.send(SLOW)
    tab.wait_for_text("t20 ")
    tab.page.click("text=New chat")
    tab.page.locator(".welcome").wait_for()
    tab.send("In between.")
    tab.wait_for_text("You wrote: “In between.”")
    tab.page.go_back()
    tab.page.wait_for_url(f"**/?s={session_id}")
    tab.wait_for_text("t120")
    tab.wait_for_rest()
    assert tab.answer() == WHOLE


def test_a_session_that_is_stopped_stops_no_other(tab: Tab, tabs: Tabs, session_id: str) -> None:
    other = tabs(f"{session_id}-other")
    other.wait_for_state("Live")
    tab.send(SLOW)
    other.send(LONG)
    other.wait_for_text("t5 ")
    other.page.click("button:has-text('Stop')")
    other.page.locator(".ending", has_text="Stopped.").wait_for()
    tab.wait_for_text("t120")
    tab.wait_for_rest()
    assert tab.answer() == WHOLE


def test_a_run_that_ended_while_nobody_looked_is_not_waited_for(tab: Tab) -> None:
    tab.expect_fault(*LOST)
    tab.send('[[demo {"tokens": 60, "rate": 60}]]')
    tab.wait_for_text("t5 ")
    tab.page.context.set_offline(True)
    tab.page.evaluate("() => window.dispatchEvent(new Event('focus'))")
    tab.wait_for_state("No connection for")
    other = tab.page.context.new_page()  # something else, for as long as the answer takes
    other.wait_for_timeout(2_000)
    tab.page.context.set_offline(False)
    tab.page.evaluate("() => window.dispatchEvent(new Event('online'))")
    tab.wait_for_text("t60")
    expect(tab.page.locator(".working")).to_have_count(0)
    tab.wait_for_rest()
    assert tab.page.locator(".answer").count() == 1


def test_a_screen_reader_hears_whole_sentences(tab: Tab) -> None:
    tab.page.evaluate(
        """() => {
            window.heard = [];
            const region = document.querySelector('[aria-live=polite]');
            new MutationObserver(() => window.heard.push(region.textContent)).observe(
                region, {childList: true, characterData: true, subtree: true});
        }"""
    )
    tab.send(f'[[demo {{"say": "{SENTENCES} And half a", "rate": 20}}]]')
    tab.wait_for_text("half a")
    tab.wait_for_rest()
    heard = [text for text in tab.page.evaluate("() => window.heard") if text]
    assert " ".join(heard) == SENTENCES
    assert all(re.search(r"[.!?]$", text) for text in heard), heard


def test_a_clock_that_is_wrong_by_hours_changes_nothing(tabs: Tabs, session_id: str) -> None:
    tab = tabs()
    tab.page.add_init_script("const now = Date.now; Date.now = () => now() - 5 * 3600 * 1000;")
    tab.page.goto(f"{tab.page.url}?s={session_id}")
    tab.wait_for_state("Live")
    tab.send('[[demo {"tokens": 400, "rate": 60}]]')
    tab.wait_for_text("t5 ")
    tab.page.reload()
    tab.wait_for_text("t300 ")
    assert not re.search(r"\d+ h|\d+ min", tab.page.locator(".main").inner_text())
    tab.wait_for_text("t400")
    tab.wait_for_rest()


def test_text_from_right_to_left_is_shown_so(tab: Tab) -> None:
    text = "مرحبا بالعالم"
    tab.send(f'{text} [[demo {{"say": "{text}", "rate": 100}}]]')
    tab.wait_for_text(text)
    tab.wait_for_rest()
    for place in (".answer .prose", ".prompt > p"):
        expect(tab.page.locator(place)).to_have_css("direction", "rtl")
    expect(tab.page.locator(".answer pre, body").first).to_have_css("direction", "ltr")
