"""Long conversations: only what is in sight is drawn."""

from __future__ import annotations

import pytest

from shared.db.sessions.import_session import Chat, Step, import_some
from tests.browser.conftest import Tab, Tabs
from tests.support.rows import OWNER
from tests.support.servers.stack import Stack

TURNS = 1_000


@pytest.fixture
def long_session(stack: Stack, session_id: str) -> str:
    """A session of 2,000 messages."""
    rows = [
        {
            "turn_no": turn,
            "idx": idx,
            "role": role,
            "content": f"{role} {turn}\n\n" + ("- a point\n- **another** one\n\n" * (turn % 4)),
            "timestamp": float(turn),
        }
        for turn in range(1, TURNS + 1)
        for idx, role in enumerate(("user", "assistant"))
    ]
    columns = {"profile": "default", "source": "chat", "started_at": 1.0, "last_active": 1.0}
    chat = Chat(session_id, columns, rows, {})
    while stack.db.write(lambda tx: import_some(tx, OWNER, chat, session_id)) is Step.MORE:
        pass
    return session_id


def drawn(tab: Tab) -> int:
    return tab.page.locator(".row").count()


def test_two_thousand_messages(tabs: Tabs, long_session: str) -> None:
    tab = tabs(long_session)
    tab.wait_for_text(f"assistant {TURNS}")
    tab.wait_for_rest()
    assert drawn(tab) < 60
    box = tab.page.locator(".scroll")
    for _ in range(10):
        box.evaluate("box => { box.scrollTop = box.scrollTop - 5 * box.clientHeight; }")
        tab.page.evaluate("() => new Promise(requestAnimationFrame)")
        assert drawn(tab) < 60
    tab.page.click("button:has-text('To the newest')")
    tab.wait_for_text(f"assistant {TURNS}")
    tab.send("And one more.")
    tab.wait_for_text("You wrote: “And one more.”")
    tab.wait_for_rest()
    assert drawn(tab) < 60
