"""A browser, signed in to a stack of real processes; every fault that it reports fails the test."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

from deploy.page import build
from tests.support.page.chromium import CHROMIUM, chromium, signed_in
from tests.support.servers.stack import Stack

WITHIN = 20_000  # milliseconds

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def built_page() -> None:
    """The page is built from its source."""
    build.build()


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, without a window. Under CI it must be there. While it runs, Playwright
    keeps an event loop in this thread, which tests of other packages may need."""
    if not Path(CHROMIUM).exists():
        if os.environ.get("CI") == "true":
            pytest.fail(f"{CHROMIUM} is missing")
        pytest.skip(f"{CHROMIUM} is missing")
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="package")
def stack(built_page: None) -> Iterator[Stack]:
    """One web process and one worker on SQLite, in front of a demo gateway."""
    made = Stack(DEMO_GATEWAY=1, STOP_TIMEOUT=3, RECHECK_SECONDS=1, DRAIN_SECONDS=1)
    try:
        yield made.start()
    finally:
        made.stop()


@dataclass
class Tab:
    """One page, and what its console said."""

    page: Page
    faults: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(WITHIN)
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))

    def expect_fault(self, *texts: str) -> None:
        """Console lines with one of these texts are what the test causes."""
        self.expected += texts

    def unexpected(self) -> list[str]:
        """The faults that nobody expected."""
        return [f for f in self.faults if not any(text in f for text in self.expected)]

    def send(self, text: str) -> None:
        """Write a message and press Enter."""
        self.page.fill("#message", text)
        self.page.press("#message", "Enter")

    def wait_for_text(self, text: str) -> None:
        """Wait until an answer holds the text."""
        self.page.locator(".answer", has_text=text).last.wait_for()

    def wait_for_state(self, text: str) -> None:
        """Wait until the line about the connection says it."""
        self.page.locator(".connection", has_text=text).wait_for()

    def wait_for_rest(self) -> None:
        """Wait until no run is live, and the page is connected."""
        self.page.locator(".working").wait_for(state="hidden")
        self.wait_for_state("Live")

    def answer(self) -> str:
        """The text of the last answer."""
        return self.page.locator(".answer .prose").last.inner_text()

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(f"{message.text} ({message.location.get('url', '')})")


Tabs = Callable[..., Tab]


@pytest.fixture
def context(browser: Browser, stack: Stack) -> Iterator[BrowserContext]:
    """A browser of one person, who is signed in."""
    made = signed_in(browser, stack.url)
    yield made
    made.close()


@pytest.fixture
def tabs(context: BrowserContext, stack: Stack) -> Iterator[Tabs]:
    """Opens tabs; their consoles must have stayed silent."""
    made: list[Tab] = []

    def open_tab(session_id: str = "") -> Tab:
        tab = Tab(context.new_page())
        made.append(tab)
        tab.page.goto(f"{stack.url}/?s={session_id}" if session_id else stack.url)
        return tab

    yield open_tab
    assert [tab.unexpected() for tab in made] == [[] for _ in made]


@pytest.fixture
def session_id() -> str:
    """A session that no other test uses."""
    return f"browser-{next(_numbers)}"


@pytest.fixture
def tab(tabs: Tabs, session_id: str) -> Tab:
    """One tab with a session of its own."""
    made = tabs(session_id)
    made.wait_for_state("Live")
    return made


@pytest.fixture(scope="session")
def axe(built_page: None) -> str:
    """The source of axe-core, which looks for barriers. It comes with the tools of the page."""
    file = build.SOURCE / "node_modules" / "axe-core" / "axe.min.js"
    if not file.exists():
        build.install_tools()
    return file.read_text("utf-8")
