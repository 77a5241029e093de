"""What the page shows is what is stored, byte for byte, whatever was killed meanwhile.

`make page-chaos RUNS=200` does the same for longer.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext

from deploy.page import build
from tests.browser.conftest import Tabs
from tests.page_chaos.perform import draw_sessions, perform
from tests.support.page.chromium import signed_in
from tests.support.page.shown import differences, tall
from tests.support.rows import messages
from tests.support.servers.stack import Stack

SEED = 12


@pytest.fixture(scope="module")
def reference(built_page: None) -> str:
    """The script that draws a text at once."""
    return build.build_reference().read_text("utf-8")


@pytest.fixture
def context(browser: Browser, stack: Stack) -> Iterator[BrowserContext]:
    """A browser whose clipboard may be read."""
    made = signed_in(browser, stack.url, permissions=["clipboard-read", "clipboard-write"])
    yield made
    made.close()


@pytest.mark.timeout(180)
def test_under_faults_the_page_shows_what_is_stored(browser: Browser, reference: str) -> None:
    said: list[str] = []
    outcome = perform(browser, reference, SEED, 6, said.append)
    assert not outcome.violations, "\n".join([*outcome.violations, *said, str(outcome.folder)])
    assert outcome.runs == 6
    assert outcome.faults


def test_every_change_of_what_is_stored_is_noticed(
    tabs: Tabs, stack: Stack, session_id: str, reference: str
) -> None:
    tab = tabs(session_id)
    tab.wait_for_state("Live")
    turns = next(turns for _, turns, _ in draw_sessions(SEED, 60) if "tool" in turns[0].input)
    tab.send(turns[0].input)
    tab.page.locator(".answer").first.wait_for()
    tab.wait_for_rest()
    rows = messages(stack.db, session_id)
    with tall(tab.page):
        assert differences(tab.page, rows, reference) == []
        for row in rows:
            for name in ("content", "reasoning", "tool_name"):
                text = getattr(row, name)
                if text and text.strip():
                    setattr(row, name, text + "\u200b")
                    assert len(differences(tab.page, rows, reference)) > 0, (row.role, name)
                    setattr(row, name, text)
        assert differences(tab.page, rows[:-1], reference)
