"""The list of sessions: search, marks, renaming, archiving, workspaces, deleting with a way back.

By mouse and by keyboard, in several tabs.
"""

from __future__ import annotations

from playwright.sync_api import Locator, expect
from sqlalchemy import delete, insert

from shared.conversation.search_terms import VERSION
from shared.db.models import SessionRow
from shared.user_tokens import SHARED_OWNER
from tests.browser.conftest import Tab, Tabs
from tests.support.servers.stack import Stack

MANY = 10_000
FUTURE = 4_000_000_000.0  # epoch seconds
QUESTION = '[[demo {"tokens": 40, "rate": 40, "approval": {"after": 10}}]]'


def row(tab: Tab, title: str) -> Locator:
    return tab.page.locator("[data-session]", has_text=title)


def open_actions(tab: Tab, title: str) -> None:
    row(tab, title).hover()
    row(tab, title).locator("button[aria-expanded]").click()


def act(tab: Tab, title: str, action: str) -> None:
    open_actions(tab, title)
    tab.page.locator(".session-actions button", has_text=action).first.click()


def start(tab: Tab, text: str) -> None:
    tab.send(text)
    tab.wait_for_text(f"You wrote: “{text}”")
    tab.wait_for_rest()
    row(tab, text).wait_for()


def lines(tab: Tab) -> list[str]:
    """Days and titles, as they stand one below the other."""
    return tab.page.locator(".sessions :is(h2, .session-name)").all_inner_texts()


def test_a_session_is_renamed_in_place_and_in_the_other_tab(
    tab: Tab, tabs: Tabs, session_id: str
) -> None:
    start(tab, "First words of the renamed one")
    other = tabs(session_id)
    other.wait_for_state("Live")
    act(tab, "First words of the renamed one", "Rename")
    tab.page.fill(".rename", "Named by hand")
    tab.page.press(".rename", "Enter")
    for one in (tab, other):
        row(one, "Named by hand").wait_for()
        one.page.locator("h1", has_text="Named by hand").wait_for()
    act(tab, "Named by hand", "Rename")
    tab.page.fill(".rename", "Never mind")
    tab.page.press(".rename", "Escape")
    row(tab, "Named by hand").wait_for()
    expect(tab.page.locator("h1")).to_have_text("Named by hand")


def test_pinned_sessions_come_first(tab: Tab) -> None:
    start(tab, "To be pinned")
    act(tab, "To be pinned", "Pin")
    tab.page.locator(".sessions h2:text-is('Pinned')").wait_for()
    assert lines(tab)[:2] == ["Pinned", "To be pinned"]
    act(tab, "To be pinned", "Unpin")
    tab.page.locator(".sessions h2:text-is('Pinned')").wait_for(state="detached")


def test_archived_sessions_have_a_view_of_their_own(tab: Tab, tabs: Tabs, session_id: str) -> None:
    start(tab, "To be archived")
    other = tabs(session_id)
    row(other, "To be archived").wait_for()
    act(tab, "To be archived", "Archive")
    for one in (tab, other):
        row(one, "To be archived").wait_for(state="detached")
    tab.page.select_option(".shown-select", label="Archived")
    row(tab, "To be archived").wait_for()
    act(tab, "To be archived", "Unarchive")
    tab.page.locator("text=Nothing is archived").wait_for()
    tab.page.select_option(".shown-select", label="Conversations")
    row(tab, "To be archived").wait_for()


def test_a_workspace_is_set_and_filters_the_list(tab: Tab) -> None:
    start(tab, "Outside of the workspace")
    tab.page.click("button:has-text('New chat')")
    start(tab, "Inside of the workspace")
    act(tab, "Inside of the workspace", "Workspace")
    tab.page.fill(".rename", "/srv/plans")
    tab.page.press(".rename", "Enter")
    row(tab, "/srv/plans").wait_for()
    tab.page.select_option(".shown-select", label="/srv/plans")
    expect(row(tab, "Outside of the workspace")).to_have_count(0)
    expect(row(tab, "Inside of the workspace")).to_be_visible()
    assert lines(tab) == ["Today", "Inside of the workspace"]


def test_a_search_finds_words_of_messages(tab: Tab) -> None:
    start(tab, "A heron stood in the reeds")
    tab.page.fill(".search", "heron reeds")
    row(tab, "heron").locator("mark").first.wait_for()
    tab.page.locator("text=1 session found").wait_for()
    tab.page.fill(".search", "wordthatnobodywrote")
    tab.page.locator("text=Nothing was found").wait_for()
    tab.page.press(".search", "Escape")
    row(tab, "heron").wait_for()


def test_a_search_from_anywhere_leads_to_a_session(tab: Tab) -> None:
    start(tab, "A cormorant dried its wings")
    tab.page.click("button:has-text('New chat')")
    tab.page.keyboard.press("Control+k")
    tab.page.locator("dialog [role=option]").first.wait_for()
    tab.page.fill("dialog .search", "cormorant")
    tab.page.locator("dialog [role=option] mark").first.wait_for()
    tab.page.keyboard.press("Enter")
    tab.wait_for_text("You wrote: “A cormorant dried its wings”")
    assert tab.page.locator("dialog").count() == 0


def test_a_deletion_can_be_taken_back_and_else_happens(tab: Tab) -> None:
    start(tab, "Deleted and kept")
    act(tab, "Deleted and kept", "Delete")
    row(tab, "Deleted and kept").wait_for(state="detached")
    tab.page.click("button:has-text('Undo')")
    row(tab, "Deleted and kept").wait_for()
    act(tab, "Deleted and kept", "Delete")
    tab.page.locator(".leaving").wait_for()
    tab.page.reload()
    tab.page.locator("text=New chat").first.wait_for()
    tab.wait_for_state("Live")
    tab.page.fill(".search", "Deleted and kept")
    tab.page.locator("text=Nothing was found").wait_for()


def test_a_deletion_is_seen_and_taken_back_in_the_other_tab(tab: Tab, tabs: Tabs) -> None:
    start(tab, "Deleted here and there")
    other = tabs()
    row(other, "Deleted here and there").wait_for()
    act(tab, "Deleted here and there", "Delete")
    row(other, "Deleted here and there").wait_for(state="detached")
    other.page.click("button:has-text('Undo')")
    for one in (tab, other):
        row(one, "Deleted here and there").wait_for()
        one.page.locator(".leaving").wait_for(state="detached")


def test_a_wish_to_delete_survives_a_tab_that_dies(tab: Tab, tabs: Tabs) -> None:
    tab.expect_fault("Failed to load resource", "WebSocket", "ERR_")
    start(tab, "Deleted by the next tab")
    tab.page.context.set_offline(True)
    act(tab, "Deleted by the next tab", "Delete")
    tab.page.locator(".leaving").wait_for()
    context = tab.page.context
    tab.page.close()
    context.set_offline(False)
    other = tabs()
    other.wait_for_state("Live")
    other.page.fill(".search", "Deleted by the next tab")
    other.page.locator("text=Nothing was found").wait_for()


def test_marks_say_what_works_what_waits_and_what_is_new(tab: Tab, tabs: Tabs) -> None:
    start(tab, "Shown beside the others")
    tab.page.click("button:has-text('New chat')")
    tab.send(f"Marked session {QUESTION}")
    tab.page.locator(".question").wait_for()
    other = tabs()
    for one in (tab, other):
        row(one, "Marked session").locator(".mark-needs").wait_for()
    row(tab, "Shown beside the others").locator("a").click()
    tab.page.locator("h1", has_text="Shown beside the others").wait_for()
    row(other, "Marked session").locator("a").click()
    other.page.click("button:has-text('Allow once')")
    other.page.click("button:has-text('New chat')")
    other.page.locator(".welcome").wait_for()
    for one in (tab, other):
        row(one, "Marked session").locator(".mark-unread").wait_for()
    row(tab, "Marked session").locator("a").click()
    for one in (tab, other):
        row(one, "Marked session").locator(".mark-unread").wait_for(state="detached")


def test_a_run_that_another_device_began_is_marked(tab: Tab, session_id: str) -> None:
    tab.page.context.request.post(
        f"{tab.page.url.split('?')[0]}runs",
        data={"session_id": f"{session_id}-far", "input": f"From afar {QUESTION}"},
        headers={"Origin": tab.page.url.split("/?")[0]},
    )
    tab.page.evaluate("() => window.dispatchEvent(new Event('focus'))")
    row(tab, "From afar").locator(".mark").wait_for()
    row(tab, "From afar").locator(".mark-needs").wait_for()
    row(tab, "From afar").locator("a").click()
    tab.page.click("button:has-text('Deny')")
    tab.wait_for_rest()


def test_the_list_is_used_by_keyboard_alone(tab: Tab) -> None:
    start(tab, "Reached by keys, the older")
    tab.page.click("button:has-text('New chat')")
    start(tab, "Reached by keys, the newer")
    tab.page.keyboard.press("Control+Shift+S")
    expect(row(tab, "the newer").locator("a")).to_be_focused()
    tab.page.keyboard.press("ArrowDown")
    expect(row(tab, "the older").locator("a")).to_be_focused()
    tab.page.keyboard.press("F2")
    tab.page.keyboard.type("Renamed by keys")
    tab.page.keyboard.press("Enter")
    expect(row(tab, "Renamed by keys").locator("a")).to_be_focused()
    tab.page.keyboard.press("Enter")
    tab.page.locator("h1", has_text="Renamed by keys").wait_for()
    row(tab, "Renamed by keys").locator("a").focus()
    tab.page.keyboard.press("Tab")
    tab.page.keyboard.press("Enter")
    tab.page.locator(".session-actions").wait_for()
    tab.page.keyboard.press("Escape")
    tab.page.locator(".session-actions").wait_for(state="detached")
    tab.page.keyboard.press("Delete")
    row(tab, "Renamed by keys").wait_for(state="detached")
    tab.page.click("button:has-text('Undo')")
    row(tab, "Renamed by keys").wait_for()


def test_of_ten_thousand_sessions_those_in_sight_are_in_the_document(
    stack: Stack, tabs: Tabs
) -> None:
    add_sessions(stack, MANY)
    try:
        tab = tabs()
        tab.page.locator("[data-session] a[tabindex='0']").focus()
        focused = "document.activeElement.closest('[data-session]')?.dataset.session.slice(5)"
        at = MANY - 1
        for _ in range(4):  # pages are loaded as the end comes near
            row(tab, f"Session of many {at - 1}").wait_for(state="attached")
            tab.page.keyboard.press("End")
            tab.page.wait_for_function(f"at => Number({focused}) < at", arg=at)
            at = int(tab.page.evaluate(f"() => {focused}"))
            assert (MANY - at) % 50 == 0, "the last one of a page"
            assert tab.page.locator("[data-session]").count() < 100
        tab.page.keyboard.press("Home")
        expect(row(tab, f"Session of many {MANY - 1}").locator("a")).to_be_focused()
    finally:
        remove_sessions(stack)


def add_sessions(stack: Stack, count: int) -> None:
    """Sessions of the future, so that they come before all others; the last one is the first."""
    rows = [
        {
            "owner": SHARED_OWNER,
            "id": f"many-{number}",
            "profile": "default",
            "title": f"Session of many {number}",
            "title_indexed_by": VERSION,
            "started_at": FUTURE + number,
            "last_active": FUTURE + number,
        }
        for number in range(count)
    ]
    stack.db.write(lambda tx: tx.execute(insert(SessionRow), rows))


def remove_sessions(stack: Stack) -> None:
    """Take them away again."""
    those = delete(SessionRow).where(SessionRow.id.like("many-%"))
    stack.db.write(lambda tx: tx.execute(those))


def test_switching_sessions_loses_no_stream(tab: Tab, tabs: Tabs) -> None:
    tab.send('[[demo {"tokens": 150, "rate": 40}]]')
    tab.wait_for_text("t10 ")
    address = tab.page.url
    tab.page.click("button:has-text('New chat')")
    tab.page.locator(".welcome").wait_for()
    start(tab, "Meanwhile in another session")
    tab.page.evaluate("address => history.pushState(null, '', address)", address)
    tab.page.evaluate("() => window.dispatchEvent(new PopStateEvent('popstate'))")
    tab.wait_for_text("t150")
    tab.wait_for_rest()
    assert tab.answer() == " ".join(f"t{n}" for n in range(1, 151))
