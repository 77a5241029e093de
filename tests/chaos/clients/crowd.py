"""All tabs, as far as faults may touch them. Faults come from other threads than tabs live in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tests.chaos.clients.tabs import Tab

SHARE = 3  # every third tab


class Crowd:
    """Empty until the tabs are there."""

    def __init__(self) -> None:
        self.tabs: list[Tab] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    def gather(self, tabs: list[Tab]) -> None:
        """These are the tabs; called in their loop."""
        self.tabs, self._loop = tabs, asyncio.get_running_loop()

    def cut(self, number: int) -> None:
        """Some lose their connection."""

        def work(tab: Tab) -> None:
            self._task = asyncio.ensure_future(tab.drop())

        self._each(number, work)

    def pause(self, number: int) -> None:
        """Some stop reading."""

        def work(tab: Tab) -> None:
            if tab.websocket is not None:
                tab.websocket.reading.clear()

        self._each(number, work)

    def go_on(self) -> None:
        """All read."""

        def work(tab: Tab) -> None:
            if tab.websocket is not None:
                tab.websocket.reading.set()

        self._each(None, work)

    def _each(self, number: int | None, work: Callable[[Tab], None]) -> None:
        assert self._loop is not None
        for index, tab in enumerate(self.tabs):
            if number is None or index % SHARE == number % SHARE:
                self._loop.call_soon_threadsafe(work, tab)
