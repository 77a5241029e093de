"""What a person chooses in this browser is kept, the same in all tabs, and has an address."""

from __future__ import annotations

from playwright.sync_api import Route, expect

from tests.browser.conftest import Tab, Tabs
from tests.support.servers.stack import Stack

BACKGROUND = "() => getComputedStyle(document.body.parentElement).backgroundColor"


def choose(tab: Tab, group: str, value: str) -> None:
    fieldset = tab.page.locator("fieldset", has=tab.page.locator(f"legend:text-is('{group}')"))
    fieldset.locator("label", has_text=value).click()


def test_the_settings_have_an_address_and_close_with_escape(tab: Tab, stack: Stack) -> None:
    before = tab.page.url
    tab.page.click("nav button:has-text('Settings')")
    tab.page.locator("dialog h2", has_text="Settings").wait_for()
    assert tab.page.url == f"{before}&settings"
    tab.page.reload()
    tab.page.locator("dialog h2", has_text="Settings").wait_for()
    tab.page.keyboard.press("Escape")
    tab.page.locator("dialog").wait_for(state="detached")
    assert tab.page.url == before
    tab.page.goto(f"{stack.url}/?settings")
    tab.page.locator("dialog h2", has_text="Settings").wait_for()
    tab.page.click("dialog button[aria-label=Close]")
    tab.page.locator("dialog").wait_for(state="detached")


def test_theme_and_density_hold_in_all_tabs_and_after_a_reload(tab: Tab, tabs: Tabs) -> None:
    other = tabs()
    other.wait_for_state("Live")
    tab.page.keyboard.press("Control+,")
    choose(tab, "Theme", "Dark")
    choose(tab, "Density", "Compact")
    for one in (tab, other):
        expect(one.page.locator("html")).to_have_attribute("data-theme", "dark")
        expect(one.page.locator("html")).to_have_attribute("data-density", "compact")
        assert one.page.evaluate(BACKGROUND) == "rgb(21, 22, 24)"
    other.page.reload()
    expect(other.page.locator("html")).to_have_attribute("data-theme", "dark")
    choose(tab, "Theme", "As the system")
    expect(other.page.locator("html")).not_to_have_attribute("data-theme", "dark")


def test_the_page_speaks_german_at_once_and_in_the_other_tab(tab: Tab, tabs: Tabs) -> None:
    other = tabs()
    other.wait_for_state("Live")
    other.page.fill("#message", "half a thought")
    tab.page.keyboard.press("Control+,")
    choose(tab, "Language", "Deutsch")
    tab.page.locator("dialog h2", has_text="Einstellungen").wait_for()
    other.page.locator("button", has_text="Neuer Chat").wait_for()
    expect(other.page.locator("html")).to_have_attribute("lang", "de")
    assert other.page.input_value("#message") == "half a thought"


def test_the_key_that_sends_can_be_chosen(tab: Tab) -> None:
    tab.page.keyboard.press("Control+,")
    choose(tab, "A message is sent with", "Ctrl+Enter")
    tab.page.keyboard.press("Escape")
    tab.page.fill("#message", "one")
    tab.page.press("#message", "Enter")
    tab.page.type("#message", "two")
    assert tab.page.input_value("#message") == "one\ntwo"
    tab.page.press("#message", "Control+Enter")
    tab.wait_for_text("You wrote: “one")
    tab.wait_for_rest()


def test_who_is_signed_in_and_what_is_used(tab: Tab) -> None:
    tab.page.keyboard.press("Control+,")
    dialog = tab.page.locator("dialog")
    dialog.locator("div:has(> dt:text-is('Role'))", has_text="Administrator").wait_for()
    dialog.locator("div:has(> dt:text-is('Tabs and devices'))", has_text=" of ").wait_for()
    dialog.locator("div:has(> dt:text-is('Size of a session'))", has_text="MB").wait_for()
    dialog.locator("button", has_text="Sign out").click()
    tab.page.locator("#token").wait_for()


def test_signing_out_ends_what_the_page_still_reads(tab: Tab) -> None:
    """A list that is asked for with an ended cookie is refused: an error in the console."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    tab.page.route("**/api/sessions?*", hold)
    tab.page.reload()
    tab.page.click("nav button:has-text('Settings')")
    while not held:  # the test's time is limited
        tab.page.wait_for_timeout(20)
    tab.page.locator("dialog button", has_text="Sign out").click()
    tab.page.locator("#token").wait_for()
    for route in held:
        route.continue_()
    tab.page.wait_for_load_state("networkidle")


def test_shortcuts_are_listed_and_do_what_they_say(tab: Tab) -> None:
    tab.page.locator(".conversation .scroll").focus()
    tab.page.keyboard.press("?")
    tab.page.locator("dialog h2", has_text="Keyboard shortcuts").wait_for()
    tab.page.keyboard.press("Escape")
    tab.page.locator("dialog").wait_for(state="detached")
    tab.page.keyboard.press("Shift+Escape")
    expect(tab.page.locator("#message")).to_be_focused()
    tab.page.keyboard.press("?")
    assert tab.page.input_value("#message") == "?", "a sign that is written opens nothing"
    tab.page.fill("#message", "")
    tab.send('[[demo {"tokens": 2000, "rate": 40}]]')
    tab.wait_for_text("t5 ")
    tab.page.keyboard.press("Escape")
    tab.page.locator(".ending", has_text="Stopped.").wait_for()
    tab.page.keyboard.press("Control+Shift+O")
    tab.page.locator(".welcome").wait_for()
    assert "?s=" not in tab.page.url
