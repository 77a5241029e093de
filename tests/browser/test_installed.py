"""The page as an app: what the service worker keeps, offline, after a deploy, after sleep."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import BrowserContext

from tests.browser.conftest import Tab, Tabs
from tests.support.servers.stack import Stack

LOST = ("WebSocket", "Failed to load resource", "ERR_")
READY = "() => navigator.serviceWorker.ready.then((one) => one.active.state)"
KEPT = """async () => {
    const urls = [];
    for (const name of await caches.keys())
        for (const kept of await (await caches.open(name)).keys())
            urls.push(new URL(kept.url).pathname);
    return urls;
}"""


def test_it_can_be_installed(tab: Tab, stack: Stack) -> None:
    manifest = tab.page.request.get(f"{stack.url}/manifest.webmanifest")
    assert manifest.headers["content-type"].startswith("application/manifest+json")
    for icon in manifest.json()["icons"]:
        answer = tab.page.request.get(f"{stack.url}{icon['src']}")
        assert answer.ok, icon
        if icon["type"] == "image/png":
            width = int.from_bytes(answer.body()[16:20])
            assert icon["sizes"] == f"{width}x{width}"
    assert any(icon.get("purpose") == "maskable" for icon in manifest.json()["icons"])


def test_without_a_server_a_page_says_so_and_comes_back_by_itself(tab: Tab, stack: Stack) -> None:
    tab.expect_fault(*LOST)
    tab.page.evaluate(READY)
    stack.end_web(0)
    tab.page.reload()
    tab.page.locator("h1:visible", has_text="Holdfast cannot be reached").wait_for()
    stack.start_web(0)
    tab.wait_for_state("Live")


def test_the_offline_page_speaks_the_chosen_language(tab: Tab, axe: str) -> None:
    tab.expect_fault(*LOST)
    tab.page.evaluate(READY)
    tab.page.evaluate("() => localStorage.setItem('holdfast.language', 'de')")
    tab.page.context.set_offline(True)
    tab.page.reload()
    tab.page.locator("h1:visible", has_text="Holdfast ist nicht erreichbar").wait_for()
    assert tab.page.locator("h1:visible").count() == 1
    tab.page.context.set_offline(False)
    tab.page.locator("#message").wait_for()


def test_no_answer_of_the_api_and_no_page_is_kept(tab: Tab) -> None:
    tab.page.evaluate(READY)
    tab.page.reload()
    tab.send("Something secret.")
    tab.wait_for_text("You wrote")
    tab.wait_for_rest()
    kept = tab.page.evaluate(KEPT)
    assert "/offline.html" in kept
    assert any(path.startswith("/assets/index-") for path in kept)
    allowed = ("/assets/", "/offline.", "/theme.js", "/icon.svg")
    assert [path for path in kept if not path.startswith(allowed)] == []


def test_an_app_that_slept_while_its_server_died_shows_the_rest(tab: Tab, stack: Stack) -> None:
    tab.expect_fault(*LOST)
    tab.send('[[demo {"tokens": 120, "rate": 40}]]')
    tab.wait_for_text("t20 ")
    devtools = tab.page.context.new_cdp_session(tab.page)
    devtools.send("Page.setWebLifecycleState", {"state": "frozen"})
    stack.restart_web(0)
    devtools.send("Page.setWebLifecycleState", {"state": "active"})
    tab.wait_for_text("t120")
    tab.wait_for_rest()
    tab.send("And on.")
    tab.wait_for_text("You wrote: “And on.”")


@pytest.fixture
def notified(context: BrowserContext, stack: Stack) -> BrowserContext:
    """A browser that allows notifications, writes them down, and believes its tabs hidden when
    `hidden` is set in them."""
    context.grant_permissions(["notifications"], origin=stack.url)
    context.add_init_script(
        """
        const shown = () => JSON.parse(localStorage.getItem("shown") ?? "[]");
        window.Notification = class {
            static permission = "granted";
            static requestPermission = () => Promise.resolve("granted");
            constructor(title, { tag }) {
                localStorage.setItem("shown", JSON.stringify([...shown(), [title, tag]]));
            }
            close() {}
        };
        Object.defineProperty(Document.prototype, "visibilityState", {
            get: () => (window.hidden ? "hidden" : "visible"),
        });
        """
    )
    return context


def shown(tab: Tab) -> list[list[str]]:
    """Title and tag of each notification of this browser."""
    found: list[list[str]] = json.loads(
        tab.page.evaluate("() => localStorage.getItem('shown') ?? '[]'")
    )
    return found


def hide(*tabs: Tab) -> None:
    for tab in tabs:
        tab.page.evaluate("() => { window.hidden = true; }")


def ask_for_notifications(tab: Tab) -> None:
    tab.page.keyboard.press("Control+,")
    tab.page.locator("label", has_text="Tell me when an answer is done").click()
    tab.page.keyboard.press("Escape")


def test_two_hidden_tabs_tell_once_that_an_answer_is_done(
    notified: BrowserContext, tab: Tab, tabs: Tabs, session_id: str
) -> None:
    other = tabs(session_id)
    other.wait_for_state("Live")
    ask_for_notifications(tab)
    tab.send('[[demo {"tokens": 60, "rate": 40, "approval": {"after": 10}}]]')
    hide(tab, other)
    for one in (tab, other):
        one.page.locator(".question").wait_for()
    tab.page.wait_for_function("() => JSON.parse(localStorage.shown ?? '[]').length === 1")
    tab.page.click("button:has-text('Allow once')")
    for one in (tab, other):
        one.wait_for_text("t60")
        one.wait_for_rest()
    tab.page.wait_for_function("() => JSON.parse(localStorage.shown ?? '[]').length === 2")
    # Both tabs have decided when what one of them sends afterwards has been told too.
    tab.send("Once more.")
    tab.page.wait_for_function("() => JSON.parse(localStorage.shown).length === 3")
    titles = [title for title, _tag in shown(tab)]
    assert [title.split(":")[0] for title in titles] == [
        "The agent has a question",
        "The answer is done",
        "The answer is done",
    ]


def test_nothing_is_told_that_nobody_asked_for_or_that_is_in_sight(
    notified: BrowserContext, tab: Tab, tabs: Tabs, session_id: str
) -> None:
    hide(tab)
    tab.send("Not asked for.")
    tab.wait_for_text("You wrote: “Not asked for.”")
    tab.wait_for_rest()
    other = tabs(session_id)  # in sight
    other.wait_for_state("Live")
    ask_for_notifications(tab)
    tab.send("Seen in the other tab.")
    other.wait_for_text("You wrote: “Seen in the other tab.”")
    other.wait_for_rest()
    tab.wait_for_rest()
    hide(other)
    tab.send("Seen by nobody.")
    tab.page.wait_for_function("() => JSON.parse(localStorage.shown ?? '[]').length > 0")
    assert len(shown(tab)) == 1
