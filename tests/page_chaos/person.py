"""A person with one session: sends its turns one by one, reloads, looks from a second device."""

from __future__ import annotations

import contextlib
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Page
from playwright.sync_api import Error as BrowserError
from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.db.models import RunRow
from tests.page_chaos.texts import Turn
from tests.page_chaos.watched_stage import WatchedStage
from tests.support.page.shown import differences, tall
from tests.support.rows import messages

WATCH = Path(__file__).with_name("watch.js").read_text("utf-8")
PATIENCE = 180.0  # seconds without any progress
EMPTY = 30.0  # seconds after which a person loads a page again that shows nothing
# What the browser itself says about a server that is away.
OF_THE_NETWORK = re.compile(
    r"WebSocket connection to 'ws://[^']+' failed: |Failed to load resource: net::ERR_\w+$"
    r"|Failed to load resource: the server responded with a status of (400|502|503) "
)


@dataclass
class Watcher:
    """One page, and what its console said that it should not."""

    page: Page
    url: str
    faults: list[str] = field(default_factory=list)
    looks: int = 0
    _loaded: float = 0.0

    def __post_init__(self) -> None:
        self.page.add_init_script(WATCH)
        self.page.on("console", lambda said: self._said(said.type, said.text))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.load()

    def load(self) -> bool:
        """Load the page; whether a server answered."""
        self._loaded = time.monotonic()
        try:
            self.page.goto(self.url, wait_until="commit", timeout=15_000)
        except BrowserError:
            return False
        return True

    def state(self) -> dict[str, Any] | None:
        """What the page shows; None while there is no page."""
        try:
            found = self.page.evaluate("() => globalThis.watch && document.body && watch.state()")
        except BrowserError:  # it is being loaded
            return None
        if found and found["isThere"]:
            return dict(found)
        if time.monotonic() - self._loaded > EMPTY:
            self.load()
        return None

    def look_again(self, looks: int) -> None:
        """The person comes back to the page, if they have not done so as often."""
        if self.looks == looks:
            return
        with contextlib.suppress(BrowserError):  # it is being loaded
            self.page.evaluate("() => dispatchEvent(new Event('focus'))")
            self.looks = looks

    def _said(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not OF_THE_NETWORK.match(text):
            self.faults.append(text)


@dataclass
class Person:
    """`step` again and again until it says that it is done; then `faults` says what was wrong."""

    session_id: str
    turns: list[Turn]
    stage: WatchedStage
    reference: str
    faults: list[str] = field(default_factory=list)
    tabs: list[Watcher] = field(default_factory=list)
    sent: int = 0
    reloads: int = 0
    _reloaded: set[int] = field(default_factory=set)
    _progress: float = field(default_factory=time.monotonic)

    def open(self, context: BrowserContext) -> None:
        """One more tab, or device."""
        page = context.new_page()
        self.tabs.append(Watcher(page, f"{self.stage.page_url}/?s={self.session_id}"))

    def step(self) -> bool:
        """Do what can be done now; whether all is over."""
        for tab in self.tabs:
            if tab.page.url.startswith("chrome-error"):
                tab.load()
            tab.look_again(self.stage.looks)
        if time.monotonic() - self._progress > PATIENCE:
            self.faults.append(f"stuck: {[tab.state() for tab in self.tabs]}, {self._runs()}")
            return True
        state = self.tabs[0].state()
        if state is None:
            return False
        if self.sent == 0 or self._is_over(state):
            return self._go_on()
        turn = self.turns[self.sent - 1]
        shown = state["marks"].get(str(turn.number), [])
        if turn.act == "queue" and shown and self.sent < len(self.turns):
            self._send()
        elif turn.act == "reload" and len(shown) > 2 and turn.number not in self._reloaded:
            self._reloaded.add(turn.number)
            self.reloads += 1
            self.tabs[0].load()
        return False

    def close(self) -> None:
        """Close all tabs; what they complained about becomes a fault."""
        for tab in self.tabs:
            self.faults += tab.faults
            tab.page.close()

    def _go_on(self) -> bool:
        if self.sent < len(self.turns):
            self._send()
            return False
        if not all(self._is_over(tab.state()) for tab in self.tabs[1:]):
            return False
        self._judge()
        return True

    def _send(self) -> None:
        page = self.tabs[0].page
        try:
            page.fill("#message", self.turns[self.sent].input, timeout=5_000)
            page.press("#message", "Enter", timeout=5_000)
        except BrowserError:
            return
        self.sent += 1
        self._progress = time.monotonic()

    def _is_over(self, state: dict[str, Any] | None) -> bool:
        """Whether the page shows that nothing is left to come, and the database says the same."""
        if state is None or state["connection"] != "Live" or state["isWorking"]:
            return False
        if state["isSending"] or state["waiting"]:
            return False
        runs = self._runs()
        return len(runs) == self.sent and all(is_over for _, is_over in runs)

    def _runs(self) -> list[tuple[str, bool]]:
        def work(tx: Session) -> list[tuple[str, bool]]:
            wanted = select(RunRow.state, RunRow.announced_at).where(
                RunRow.session_id == self.session_id
            )
            return [(state, announced is not None) for state, announced in tx.execute(wanted)]

        return self.stage.db.read(work)

    def _judge(self) -> None:
        """Compare each tab with the database, and the first one once more after a reload."""
        self._compare("at the end")
        while not self.tabs[0].load():
            self.tabs[0].page.wait_for_timeout(200)
        self.tabs[0].page.locator(".prompt").last.wait_for(timeout=60_000)
        self._compare("after a reload", self.tabs[:1])

    def _compare(self, when: str, tabs: list[Watcher] | None = None) -> None:
        for number, tab in enumerate(tabs or self.tabs):
            rows = messages(self.stage.db, self.session_id)
            with tall(tab.page):
                found = differences(tab.page, rows, self.reference)
                state = tab.state()
            if state and not found:
                found = self._missing(state["marks"])
            self.faults += [f"tab {number} {when}: {one}" for one in found]

    def _missing(self, marks: dict[str, list[int]]) -> list[str]:
        """Of completed turns everything that the agent said is shown."""
        states = [state for state, _ in self._runs()]
        if set(states) != {"completed"}:
            return []
        return [
            f"turn {turn.number}: {len(shown)} of {turn.marks} marks"
            for turn in self.turns
            if (shown := marks.get(str(turn.number), [])) != list(range(1, turn.marks + 1))
        ]
