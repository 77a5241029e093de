"""`python -m tests.pictures`: makes the pictures of the README anew, in docs/pictures."""

from __future__ import annotations

import sys

from playwright.sync_api import Page, ViewportSize

from deploy.page import build
from tests.pictures.recording import Recorder
from tests.pictures.scenes import ANSWER, QUESTION, SHORT, fill_sidebar
from tests.support.page.chromium import chromium, signed_in
from tests.support.paths import ROOT
from tests.support.servers.stack import Stack

FOLDER = ROOT / "docs" / "pictures"
WIDE: ViewportSize = {"width": 1280, "height": 800}
RECORDED: ViewportSize = {"width": 960, "height": 600}
PHONE: ViewportSize = {"width": 390, "height": 780}
LARGEST = 1_500_000  # bytes of the recording


def main() -> None:
    """Make all of them."""
    build.build()
    FOLDER.mkdir(exist_ok=True)
    stack = Stack(LEASE_SECONDS=5, REAP_SECONDS=1)
    try:
        stack.start()
        with chromium() as browser:
            context = signed_in(browser, stack.url, viewport=WIDE, color_scheme="light")
            page = context.new_page()
            page.goto(stack.url)
            live(page)
            fill_sidebar(stack, page)
            chat(stack, page)
            record(stack, page)
            context.close()
    finally:
        stack.stop()
    for file in sorted(FOLDER.iterdir()):
        sys.stdout.write(f"{file.relative_to(ROOT)} {file.stat().st_size:,} bytes\n")


def chat(stack: Stack, page: Page) -> None:
    """A conversation with an answer, a tool and a question that waits; light, dark, on a phone."""
    page.click("button:has-text('New chat')")
    ask(stack, page, "Two deploys run at once. Which of them has won?", ANSWER)
    rest(page, "lock.holder")
    ask(stack, page, "Then clean up the losing one's files.", QUESTION)
    page.locator(".question").wait_for()
    page.mouse.move(0, 0)
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        page.screenshot(path=FOLDER / f"chat-{theme}.png")
    page.set_viewport_size(PHONE)
    page.screenshot(path=FOLDER / "phone.png")
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(RECORDED)
    page.click("button:has-text('Allow once')")
    rest(page, "are gone")


def record(stack: Stack, page: Page) -> None:
    """A web process is killed in mid-answer, another one starts, and the page catches up."""
    page.evaluate("() => history.pushState(null, '', '/')")
    page.evaluate("() => dispatchEvent(new PopStateEvent('popstate'))")
    page.locator(".welcome").wait_for()
    prompt = "Explain to me how a lease keeps two workers from doing the same job."
    stack.gateway.faults(script=SHORT, count=1)
    recorder = Recorder(page)
    recorder.begin("The agent answers.")
    page.locator("#message").press_sequentially(prompt, delay=15)
    page.press("#message", "Enter")
    page.locator(".answer", has_text="renews").wait_for()
    recorder.begin("kill -9: the web process is gone. The answer goes on without it.")
    stack.end_web(0)
    page.wait_for_timeout(2_500)
    recorder.begin("Another web process starts; the page catches up by itself.")
    stack.start_web(0)
    page.locator(".connection", has_text="Live").wait_for()
    rest(page, "one clock")
    recorder.begin("Nothing is lost, and nothing is there twice.")
    page.wait_for_timeout(2_000)
    size = recorder.save(FOLDER / "killed-in-mid-answer.webp")
    assert size <= LARGEST, f"the recording has {size:,} bytes"


def ask(stack: Stack, page: Page, text: str, script: dict[str, object]) -> None:
    """Send a prompt; the demo gateway answers with the script."""
    stack.gateway.faults(script=script, count=1)
    page.fill("#message", text)
    page.press("#message", "Enter")
    page.locator(".prompt", has_text=text).wait_for()


def live(page: Page) -> None:
    """Wait for the connection."""
    page.locator(".connection", has_text="Live").wait_for()


def rest(page: Page, last: str) -> None:
    """Wait until an answer has its last words, and no run is live."""
    page.locator(".answer", has_text=last).wait_for(timeout=60_000)
    page.locator(".working").wait_for(state="hidden")
    live(page)


if __name__ == "__main__":
    main()
