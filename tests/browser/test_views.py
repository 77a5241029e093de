"""Every view can be used by everybody: no barrier that axe finds, in both themes and on a phone."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Tab, Tabs

ANSWER = (
    "## Title\\n\\n| a | b |\\n| --- | --- |\\n| 1 | 2 |\\n\\n```python\\nx = 1  # one\\n```\\n"
)
QUESTION = f'[[demo {{"say": "{ANSWER}", "rate": 200, "approval": {{"after": 30}}}}]]'
WIDTHS = [360, 768, 1440]


def barriers(tab: Tab, axe: str) -> list[Any]:
    """What axe has found: rule and elements."""
    tab.page.evaluate(f"() => {{ {axe} }}")
    found = tab.page.evaluate("() => axe.run()")
    return [(one["id"], [n["html"] for n in one["nodes"]]) for one in found["violations"]]


@pytest.fixture(params=["light", "dark"])
def theme(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_a_conversation_with_all_that_it_may_have(tab: Tab, axe: str, theme: Any) -> None:
    tab.page.emulate_media(color_scheme=theme)
    tab.send("Use a tool.")
    tab.wait_for_text("You wrote")
    tab.wait_for_rest()
    tab.send(QUESTION)
    tab.page.locator(".question").wait_for()
    tab.send("waits")
    tab.page.locator(".queue li").wait_for()
    for width in WIDTHS:
        tab.page.set_viewport_size({"width": width, "height": 800})
        assert barriers(tab, axe) == []
        assert tab.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    tab.page.click("button:has-text('Deny')")


def test_a_tool_and_a_question_after_text_without_a_heading(tab: Tab, axe: str, theme: Any) -> None:
    tab.page.emulate_media(color_scheme=theme)
    tool = '{"after": 2, "name": "terminal", "output": "x"}'
    tab.send(
        f'[[demo {{"say": "Plain words only.", "tools": [{tool}], "approval": {{"after": 3}}}}]]'
    )
    tab.page.locator(".question").wait_for()
    tab.page.locator("details.tool > summary").click()
    tab.page.locator(".tool .raw").first.wait_for()
    assert barriers(tab, axe) == []
    tab.page.click("button:has-text('Deny')")


def test_signing_in(tabs: Tabs, axe: str, theme: Any) -> None:
    tab = tabs()
    tab.page.emulate_media(color_scheme=theme)
    tab.expect_fault("401")
    tab.page.context.clear_cookies()
    tab.page.reload()
    tab.page.locator("#token").wait_for()
    assert barriers(tab, axe) == []


def test_an_empty_chat_and_the_menu_on_a_phone(tabs: Tabs, axe: str, theme: Any) -> None:
    tab = tabs()
    tab.page.emulate_media(color_scheme=theme)
    tab.page.set_viewport_size({"width": 360, "height": 740})
    tab.page.locator(".welcome").wait_for()
    assert barriers(tab, axe) == []
    tab.page.click("button[aria-label=Sessions]")
    tab.page.locator("nav.sidebar-open").wait_for()
    tab.page.locator("text=New chat").first.wait_for()
    expect(tab.page.locator("nav")).to_have_css("transform", "none")
    assert barriers(tab, axe) == []


def test_the_first_load_is_small(tabs: Tabs) -> None:
    tab = tabs()
    tab.wait_for_state("Live")
    sizes = tab.page.evaluate(
        "() => performance.getEntriesByType('resource').map((one) => one.encodedBodySize)"
    )
    assert 0 < sum(sizes) <= 250_000


def test_settings_shortcuts_and_search(tab: Tab, axe: str, theme: Any) -> None:
    tab.page.emulate_media(color_scheme=theme)
    tab.send("Something to be found.")
    tab.wait_for_text("You wrote")
    tab.wait_for_rest()
    for key, title in (
        ("Control+,", "Settings"),
        ("Control+/", "Keyboard shortcuts"),
        ("Control+k", "Search sessions"),
    ):
        tab.page.keyboard.press(key)
        tab.page.locator("dialog h2", has_text=title).wait_for()
        for width in WIDTHS:
            tab.page.set_viewport_size({"width": width, "height": 800})
            assert barriers(tab, axe) == []
            assert tab.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
        tab.page.keyboard.press("Escape")
        tab.page.locator("dialog").wait_for(state="detached")


def test_what_is_done_to_a_session(tab: Tab, axe: str, theme: Any) -> None:
    tab.page.emulate_media(color_scheme=theme)
    tab.send("Looked at closely.")
    tab.wait_for_text("You wrote")
    tab.wait_for_rest()
    row = tab.page.locator("[data-session]", has_text="Looked at closely").first
    row.locator("button[aria-expanded]").click()
    assert barriers(tab, axe) == []
    tab.page.locator(".session-actions button", has_text="Workspace").click()
    assert barriers(tab, axe) == []
    tab.page.press(".rename", "Escape")
    row.locator("a").focus()
    tab.page.keyboard.press("Delete")
    tab.page.locator(".leaving").first.wait_for()
    tab.page.fill(".search", "closely")
    tab.page.locator(".found-count", has_text="found").wait_for()
    assert barriers(tab, axe) == []
    tab.page.locator(".leaving button").first.click()
