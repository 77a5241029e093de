"""The list of sessions: renaming, pinning, searching, deleting with a way back."""

from __future__ import annotations

from playwright.sync_api import Locator

from tests.browser.conftest import Tab, Tabs


def row(tab: Tab, title: str) -> Locator:
    return tab.page.locator(".sessions li", has_text=title)


def open_actions(tab: Tab, title: str) -> None:
    row(tab, title).hover()
    row(tab, title).locator("button[aria-expanded]").click()


def start(tab: Tab, text: str) -> None:
    tab.send(text)
    tab.wait_for_text(f"You wrote: “{text}”")
    tab.wait_for_rest()
    row(tab, text).wait_for()


def test_a_session_is_renamed_in_place_and_in_the_other_tab(
    tab: Tab, tabs: Tabs, session_id: str
) -> None:
    start(tab, "First words of the renamed one")
    other = tabs(session_id)
    other.wait_for_state("Live")
    open_actions(tab, "First words of the renamed one")
    tab.page.click("button:has-text('Rename')")
    tab.page.fill(".rename", "Named by hand")
    tab.page.press(".rename", "Enter")
    for one in (tab, other):
        row(one, "Named by hand").wait_for()
        one.page.locator("h1", has_text="Named by hand").wait_for()


def test_pinned_sessions_come_first(tab: Tab) -> None:
    start(tab, "To be pinned")
    open_actions(tab, "To be pinned")
    tab.page.click("button:has-text('Pin')")
    pinned = tab.page.locator(".sessions section", has=tab.page.locator("h2:text-is('Pinned')"))
    pinned.locator("li", has_text="To be pinned").wait_for()
    open_actions(tab, "To be pinned")
    tab.page.click("button:has-text('Unpin')")
    pinned.wait_for(state="detached")


def test_a_search_finds_words_of_messages(tab: Tab) -> None:
    start(tab, "A heron stood in the reeds")
    tab.page.fill(".search", "heron reeds")
    row(tab, "heron").locator("mark").first.wait_for()
    tab.page.fill(".search", "wordthatnobodywrote")
    tab.page.locator("text=Nothing was found").wait_for()


def test_a_deletion_can_be_taken_back_and_else_happens(tab: Tab) -> None:
    start(tab, "Deleted and kept")
    open_actions(tab, "Deleted and kept")
    tab.page.click("button:has-text('Delete')")
    row(tab, "Deleted and kept").wait_for(state="detached")
    tab.page.click("button:has-text('Undo')")
    row(tab, "Deleted and kept").wait_for()
    open_actions(tab, "Deleted and kept")
    tab.page.click("button:has-text('Delete')")
    tab.page.locator(".leaving").wait_for()
    tab.page.reload()
    tab.page.locator("text=New chat").first.wait_for()
    tab.wait_for_state("Live")
    tab.page.fill(".search", "Deleted and kept")
    tab.page.locator("text=Nothing was found").wait_for()


def test_switching_sessions_loses_no_stream(tab: Tab, tabs: Tabs) -> None:
    tab.send('[[demo {"tokens": 150, "rate": 40}]]')
    tab.wait_for_text("t10 ")
    address = tab.page.url
    tab.page.click("button:has-text('New chat')")
    tab.page.locator(".welcome").wait_for()
    start(tab, "Meanwhile in another session")
    tab.page.evaluate("address => history.pushState(null, '', address)", address)
    tab.page.evaluate("() => window.dispatchEvent(new PopStateEvent('popstate'))")
    tab.wait_for_text("t150")
    tab.wait_for_rest()
    assert tab.answer() == " ".join(f"t{n}" for n in range(1, 151))
