"""`python -m tests.bench.page`: what the page costs its reader, in Chromium without a window.

Real processes stand behind it, with sessions of 2,000 and 3,000 messages. Times are of this
machine, which also runs the server: of frames and tasks the longest is told, and how many were too
long.
Nothing is written; `docs/PERFORMANCE.md` has the figures.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import BrowserContext, CDPSession, Page, sync_playwright

from deploy.page import build
from shared import sign_in_code
from tests.browser.conftest import Tab
from tests.support.page.chromium import CHROMIUM
from tests.support.rows import add_talk
from tests.support.servers.stack import TOKEN, Stack

ANSWER = (
    "a{n} An answer with **strong words**, a [link](https://example.org) and a list:\n\n"
    "* one\n* two\n\n| a | b |\n| --- | --- |\n| 1 | {n} |\n\n```python\nx = {n}\n```\n\n"
    + "And a paragraph that goes on for a while, as answers do. "
    * 4
)
STREAMED = '[[demo {"tokens": 4000, "rate": 200}]]'
LONG, LONGER = "talk-2000", "talk-3000"
STREAMED_FOR = 12  # seconds that are looked at
SWITCHES = 100
SESSIONS = 10  # between which it is switched

#: Notes the time between frames and the tasks of more than 50 ms.
WATCH = """() => {
    window.frames_ = []; window.tasks_ = [];
    new PerformanceObserver((list) => {
        for (const one of list.getEntries()) window.tasks_.push(one.duration);
    }).observe({type: 'longtask'});
    let last = performance.now();
    const frame = (now) => {
        window.frames_.push(now - last);
        last = now;
        requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
}"""


@dataclass
class Table:
    """What was measured, with its goal."""

    rows: list[tuple[str, str, str]] = field(default_factory=list)

    def add(self, what: str, goal: str, found: str) -> None:
        self.rows.append((what, goal, found))
        print(f"| {what} | {goal} | {found} |", flush=True)


@contextmanager
def browsers() -> Iterator[tuple[Stack, BrowserContext]]:
    """A stack with long sessions, and a browser that is signed in."""
    build.build()
    stack = Stack(DEMO_GATEWAY=1).start()
    try:
        for name, turns in ((LONG, 1_000), (LONGER, 1_500)):
            add_talk(stack.db, name, turns, ANSWER)
        for number in range(SESSIONS):
            add_talk(stack.db, f"switch-{number}", 250, ANSWER)
        with sync_playwright() as playwright:
            arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
            context = browser.new_context(viewport={"width": 1280, "height": 800})
            code = sign_in_code.make(TOKEN, time.time())
            assert context.request.post(f"{stack.url}/auth/session", data={"code": code}).ok
            yield stack, context
            browser.close()
    finally:
        stack.stop()


def opened(context: BrowserContext, url: str) -> Tab:
    """A tab with its watch."""
    tab = Tab(context.new_page())
    tab.page.add_init_script(f"({WATCH})()")
    tab.page.goto(url)
    tab.wait_for_state("Live")
    return tab


def longest(page: Page) -> str:
    """The longest frame and task since the last call."""
    frames, tasks = page.evaluate(
        "() => [window.frames_.splice(0), window.tasks_.splice(0)].map((all) =>"
        " [Math.max(0, ...all), all.filter((one) => one > 50).length, all.length])"
    )
    return (
        f"longest frame {frames[0]:.0f} ms, {frames[1]} of {frames[2]} over 50; "
        f"longest task {tasks[0]:.0f} ms"
    )


def loading(stack: Stack, context: BrowserContext, table: Table) -> None:
    """The first load, without anything in the browser's cache."""
    tab = Tab(context.new_page())
    began = time.monotonic()
    tab.page.goto(stack.url)
    tab.wait_for_state("Live")
    took = time.monotonic() - began
    sizes = tab.page.evaluate(
        "() => performance.getEntriesByType('resource').map((one) => one.encodedBodySize)"
    )
    table.add("first load, compressed", "<= 250 KB", f"{sum(sizes) / 1000:.0f} KB")
    table.add("until one can write and is connected", "<= 1.5 s", f"{took:.2f} s")
    tab.page.close()


def long_session(stack: Stack, context: BrowserContext, table: Table, name: str) -> None:
    """Opening a long session, then scrolling through all of it and back."""
    messages, turns = (2_000, 1_000) if name == LONG else (3_000, 1_500)
    tab = opened(context, stack.url)
    longest(tab.page)
    link = tab.page.locator(f".sessions a:has-text('{name}')").first
    link.wait_for()
    began = time.monotonic()
    link.click()
    tab.wait_for_text(f"a{turns} ")
    table.add(f"{messages:,} messages: opened", "<= 1 s", f"{time.monotonic() - began:.2f} s")
    table.add("the same", "no task > 100 ms", longest(tab.page))
    tab.page.mouse.move(640, 400)
    for _ in range(3_000):
        tab.page.mouse.wheel(0, -1_500)
        tab.page.evaluate("() => new Promise(requestAnimationFrame)")
        beginning = tab.page.locator("text=The beginning of the conversation.").count()
        if (
            beginning
            and tab.page.evaluate("() => document.querySelector('.scroll').scrollTop") == 0
        ):
            break
    table.add(f"{messages:,}: scrolled up to the first", "no frame > 50 ms", longest(tab.page))
    for _ in range(100):
        tab.page.mouse.wheel(0, 1_500)
        tab.page.evaluate("() => new Promise(requestAnimationFrame)")
    table.add(f"{messages:,}: scrolled down again", "no frame > 50 ms", longest(tab.page))
    tab.page.close()


def streaming(stack: Stack, context: BrowserContext, table: Table, session: str) -> None:
    """An answer of 200 tokens a second."""
    tab = opened(context, f"{stack.url}/?s={session}")
    cdp = context.new_cdp_session(tab.page)
    cdp.send("Performance.enable")
    tab.send(STREAMED)
    tab.wait_for_text("t100 ")
    longest(tab.page)
    before, began = busy(cdp), time.monotonic()
    while time.monotonic() < began + STREAMED_FOR:
        tab.page.wait_for_timeout(500)
    share = (busy(cdp) - before) / (time.monotonic() - began)
    where = "an empty session" if session == "fast" else "a session of 2,000 messages"
    table.add(f"200 tokens/s in {where}: main thread", "<= 50 % of a core", f"{share:.0%}")
    table.add("the same", "no task > 100 ms", longest(tab.page))
    tab.page.click("button:has-text('Stop')")
    tab.wait_for_rest()
    tab.page.close()


def switching(stack: Stack, context: BrowserContext, table: Table) -> None:
    """Going from session to session."""
    tab = opened(context, stack.url)
    cdp = context.new_cdp_session(tab.page)
    after: list[float] = []
    for number in range(SWITCHES + SESSIONS):
        if number in (SESSIONS, SWITCHES + SESSIONS - 1):
            after.append(heap(cdp))
        name = f"switch-{number % SESSIONS}"
        tab.page.locator(f".sessions a:has-text('{name}')").first.click()
        tab.wait_for_text("a250 ")
    change = after[1] / after[0] - 1
    found = f"{after[0]:.1f} MB, {after[1]:.1f} MB ({change:+.0%})"
    table.add(f"memory before and after {SWITCHES} switches", "within 20 %", found)
    tab.page.close()


def busy(cdp: CDPSession) -> float:
    """Seconds that the main thread has worked."""
    found = {one["name"]: one["value"] for one in cdp.send("Performance.getMetrics")["metrics"]}
    return float(found["TaskDuration"])


def heap(cdp: CDPSession) -> float:
    """Megabytes of JavaScript's objects, without garbage."""
    cdp.send("HeapProfiler.collectGarbage")
    return float(cdp.send("Runtime.getHeapUsage")["usedSize"]) / 1e6


def main() -> None:
    """Measure all of it, and print the table."""
    table = Table()
    with browsers() as (stack, context):
        loading(stack, context, table)
        long_session(stack, context, table, LONG)
        long_session(stack, context, table, LONGER)
        streaming(stack, context, table, "fast")
        streaming(stack, context, table, LONG)
        switching(stack, context, table)


if __name__ == "__main__":
    main()
