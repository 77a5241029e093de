"""A whole talk without a mouse."""

from __future__ import annotations

from tests.browser.conftest import Tab
from tests.browser.test_chat import LONG, QUESTION
from tests.browser.test_faults import LOST
from tests.support.servers.stack import TOKEN

STEPS = 80  # presses of Tab until something must have been reached


def go_to(tab: Tab, selector: str, *, back: bool = False) -> None:
    """Press Tab until what the selector means has the focus, and see that it is shown."""
    keyboard = tab.page.keyboard
    for _ in range(STEPS):
        if tab.page.evaluate("at => document.activeElement.matches(at)", selector):
            return
        keyboard.press("Shift+Tab" if back else "Tab")
    raise AssertionError(f"{selector} cannot be reached")


def test_signing_in_talking_answering_stopping_and_renaming(tab: Tab) -> None:
    keyboard = tab.page.keyboard
    tab.expect_fault(*LOST)
    tab.page.context.clear_cookies()
    tab.page.reload()
    tab.page.locator("#token").wait_for()
    go_to(tab, "#token")
    keyboard.type(TOKEN)
    keyboard.press("Enter")
    tab.wait_for_state("Live")

    go_to(tab, "#message")
    keyboard.type("Count this with a tool.")
    keyboard.press("Shift+Enter")
    keyboard.type("Please.")
    keyboard.press("Enter")
    tab.wait_for_text("You wrote: “Count this with a tool. Please.”")
    tab.wait_for_rest()
    go_to(tab, "details.tool > summary", back=True)
    keyboard.press("Enter")
    tab.page.locator("details.tool pre", has_text="words").wait_for()

    go_to(tab, "#message")
    keyboard.type(QUESTION)
    keyboard.press("Enter")
    tab.page.locator(".question").wait_for()
    go_to(tab, ".question .choices button", back=True)
    keyboard.press("Enter")
    tab.page.locator(".question").wait_for(state="detached")
    tab.wait_for_text("t40")
    tab.wait_for_rest()

    go_to(tab, "#message")
    keyboard.type(LONG)
    keyboard.press("Enter")
    tab.wait_for_text("t20 ")
    go_to(tab, ".composer button[data-stop]")
    keyboard.press("Enter")
    tab.page.locator(".ending", has_text="Stopped.").wait_for()
    tab.wait_for_rest()

    go_to(tab, ".session > a[aria-current] + button", back=True)
    keyboard.press("Enter")
    tab.page.locator("button:has-text('Rename')").wait_for()
    for _ in range(STEPS):
        if tab.page.evaluate("() => document.activeElement.textContent.includes('Rename')"):
            break
        keyboard.press("Tab")
    keyboard.press("Enter")
    tab.page.locator(".rename").wait_for()
    keyboard.press("Control+A")
    keyboard.type("By keyboard")
    keyboard.press("Enter")
    tab.page.locator("h1", has_text="By keyboard").wait_for()
