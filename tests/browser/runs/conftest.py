"""Two users, an operator and an administrator, each in a browser of their own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Response

from tests.browser.conftest import Tab
from tests.integration.web.api.http.operations.conftest import tokens_file
from tests.support.gateways.demo_gateway import scripted
from tests.support.http_api import ApiClient
from tests.support.servers.stack import Stack

SECRET = "words that only Alice may read"  # in prompts and in answers
FLOWER = "https://flower.example.org/"

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def stack(built_page: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A web process and two workers with a short lease. Olga is an operator, Adam administrates."""
    made = Stack(
        workers=2,
        TOKENS_FILE=tokens_file(tmp_path_factory.mktemp("users")),
        LEASE_SECONDS=3,
        REAP_SECONDS=0.5,
        STOP_TIMEOUT=3,
        DRAIN_SECONDS=1,
        FLOWER_URL=FLOWER,
    )
    try:
        yield made.start()
    finally:
        made.stop()


class Desk:
    """Opens tabs of people, and keeps what each of them was sent."""

    def __init__(self, browser: Browser, stack: Stack) -> None:
        self._browser = browser
        self._stack = stack
        self._contexts: dict[str, BrowserContext] = {}
        self.tabs: list[Tab] = []
        self.answers: list[str] = []

    def context(self, name: str) -> BrowserContext:
        """The browser of this person, signed in."""
        if name not in self._contexts:
            made = self._browser.new_context(viewport={"width": 1280, "height": 800})
            said = made.request.post(
                f"{self._stack.url}/auth/session", data={"token": f"token-of-{name}"}
            )
            assert said.ok, said.text()
            self._contexts[name] = made
        return self._contexts[name]

    def open(self, name: str, path: str = "/runs") -> Tab:
        """A tab of this person."""
        tab = Tab(self.context(name).new_page())
        self.tabs.append(tab)
        tab.page.on("response", self._keep)
        tab.page.goto(f"{self._stack.url}{path}")
        return tab

    def close(self) -> None:
        for context in self._contexts.values():
            context.close()

    def _keep(self, response: Response) -> None:
        if "/api/" in response.url:
            self.answers.append(response.url)
            with suppress(Error):  # the page has gone elsewhere meanwhile
                self.answers.append(response.text())


@pytest.fixture
def desk(browser: Browser, stack: Stack) -> Iterator[Desk]:
    """No tab may report a fault that its test does not expect."""
    with ExitStack() as left:
        made = Desk(browser, stack)
        left.callback(made.close)
        yield made
        assert [tab.unexpected() for tab in made.tabs] == [[] for _ in made.tabs]


@pytest.fixture
def alice(stack: Stack) -> ApiClient:
    return ApiClient(stack.url, "token-of-alice")


@pytest.fixture
def session_id() -> str:
    """A session that no other test has."""
    return f"desk-{next(_numbers)}"


def asked(**script: Any) -> str:
    """A prompt with the secret, of which the demo gateway does this."""
    return f"{scripted(**script)} {SECRET}"
