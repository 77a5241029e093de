"""What goes with a message, and what is done to one that was sent: files, models, editing."""

from __future__ import annotations

import base64
import re

from playwright.sync_api import expect

from tests.browser.conftest import Tab, Tabs
from tests.support.servers.stack import Stack

LONG = '[[demo {"tokens": 2000, "rate": 40}]]'
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJg"
    "gg=="
)

#: Hands files to an element, as a paste or a drop does.
GIVE = """([selector, kind, name, type, text]) => {
    const data = new DataTransfer();
    data.items.add(new File([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))], name, {type}));
    const options = {bubbles: true, cancelable: true};
    const event = kind === 'paste'
        ? new ClipboardEvent('paste', {...options, clipboardData: data})
        : new DragEvent(kind, {...options, dataTransfer: data});
    document.querySelector(selector).dispatchEvent(event);
}"""


def give(tab: Tab, how: str, name: str, kind: str, content: bytes) -> None:
    """Paste or drop a file."""
    selector = "#message" if how == "paste" else ".conversation"
    text = base64.b64encode(content).decode()
    tab.page.evaluate(GIVE, [selector, how, name, kind, text])


def sent_input(stack: Stack, tab: Tab, index: int = -1) -> object:
    """The input of a run of the session, as it was stored."""
    session = tab.page.url.partition("s=")[2]
    runs = tab.page.request.get(f"{stack.url}/v1/runs?session_id={session}").json()["data"]
    return stack.run_row(runs[::-1][index]["run_id"]).input


def test_what_took_how_long_and_what_failed_is_known_after_a_reload(tab: Tab) -> None:
    tab.send(
        '[[demo {"tokens": 40, "reasoning": 60, "rate": 40, "tools":'
        ' [{"after": 20, "name": "clock", "seconds": 0.7, "error": true}]}]]'
    )
    tab.wait_for_text("t40")
    tab.wait_for_rest()
    for _ in range(2):
        reasoning = tab.page.locator("summary", has_text="Thought for ")
        expect(reasoning).to_have_text(re.compile(r"^Thought for [1-3] s$"))
        expect(tab.page.locator(".tool-failed .tool-state")).to_have_text("failed in 0.7 s")
        tab.page.reload()
        tab.wait_for_state("Live")


def test_images_and_files_are_sent_and_shown_again(tab: Tab, stack: Stack) -> None:
    give(tab, "paste", "pixel.png", "image/png", PIXEL)
    give(tab, "drop", "notes.txt", "text/plain", b"remember this")
    expect(tab.page.locator(".attachments li")).to_have_count(2)
    tab.send("Look at these.")
    tab.wait_for_text("You wrote")
    tab.wait_for_rest()
    expect(tab.page.locator(".attachments")).to_have_count(0)
    url = "data:image/png;base64," + base64.b64encode(PIXEL).decode()
    assert sent_input(stack, tab) == [
        {"type": "text", "text": "Look at these."},
        {"type": "image_url", "image_url": {"url": url}},
        {"type": "text", "text": "File notes.txt:\n```\nremember this\n```"},
    ]
    for _ in range(2):
        prompt = tab.page.locator(".prompt")
        expect(prompt.locator("img")).to_have_attribute("src", url)
        expect(prompt.locator("summary")).to_have_text("notes.txt")
        expect(prompt.locator("> p")).to_have_text("Look at these.")
        tab.page.reload()


def test_what_cannot_be_sent_is_refused_in_words(tab: Tab) -> None:
    give(tab, "paste", "data.bin", "application/octet-stream", bytes(range(256)))
    refused = tab.page.locator(".composer [role=alert]")
    expect(refused).to_have_text("data.bin is neither an image nor text, and cannot be sent.")
    give(tab, "paste", "book.txt", "text/plain", b"x" * 200_000)
    expect(refused).to_contain_text("a text file may have 150 KB")
    give(tab, "paste", "broken.png", "image/png", b"not one")
    expect(refused).to_contain_text("cannot be read as an image")
    expect(tab.page.locator(".attachments")).to_have_count(0)


def test_a_message_that_is_too_large_for_a_socket_is_sent_once(tab: Tab, stack: Stack) -> None:
    for number in range(3):
        give(tab, "paste", f"{number}.txt", "text/plain", b"0123456789" * 14_000)
    expect(tab.page.locator(".attachments li")).to_have_count(3)
    tab.send("All of it.")
    tab.page.locator(".answer").wait_for()
    tab.wait_for_rest()
    expect(tab.page.locator(".prompt")).to_have_count(1)
    assert len(str(sent_input(stack, tab))) > 420_000


def test_an_earlier_prompt_is_edited_in_a_copy(tab: Tab) -> None:
    tab.page.set_viewport_size({"width": 1280, "height": 2000})  # all of it is in sight
    for text in ("one", "two", "three"):
        tab.send(text)
        tab.wait_for_text(f"You wrote: “{text}”")
        tab.wait_for_rest()
    before = tab.page.url
    tab.page.locator(".said").nth(1).hover()
    tab.page.locator(".said").nth(1).locator("button[aria-label^=Edit]").click()
    tab.page.locator(".prompt-editor textarea").fill("another")
    tab.page.click("text=Send in a copy")
    tab.wait_for_text("You wrote: “another”")
    tab.wait_for_rest()
    expect(tab.page.locator(".prompt")).to_have_text(["one", "another"])
    assert tab.page.url != before
    tab.page.go_back()
    expect(tab.page.locator(".prompt")).to_have_text(["one", "two", "three"])


def test_the_first_prompt_can_be_edited(tab: Tab) -> None:
    tab.send("first")
    tab.wait_for_text("You wrote: “first”")
    tab.wait_for_rest()
    tab.page.locator(".said").hover()
    tab.page.locator(".said button[aria-label^=Edit]").click()
    tab.page.locator(".prompt-editor textarea").fill("changed")
    tab.page.click("text=Send in a copy")
    tab.wait_for_text("You wrote: “changed”")
    expect(tab.page.locator(".prompt")).to_have_text(["changed"])


def test_the_last_turn_is_asked_again_in_a_copy(tab: Tab) -> None:
    tab.page.set_viewport_size({"width": 1280, "height": 2000})
    for text in ("one", "two"):
        tab.send(text)
        tab.wait_for_text(f"You wrote: “{text}”")
        tab.wait_for_rest()
    before = tab.page.url
    tab.page.click("text=Ask again in a copy")
    tab.page.wait_for_url(lambda url: url != before)
    tab.wait_for_text("You wrote: “two”")
    tab.wait_for_rest()
    expect(tab.page.locator(".prompt")).to_have_text(["one", "two"])


def test_a_waiting_message_is_edited_whole_and_the_draft_stays(tab: Tab) -> None:
    tab.send(LONG)
    tab.wait_for_text("t5 ")
    long = "begin " + "word " * 800 + "end"
    tab.send(long)
    tab.page.locator(".queue li").wait_for()
    tab.page.fill("#message", "what I was writing")
    tab.page.locator(".queue button[aria-label*=Edit]").click()
    tab.page.locator(".queue").wait_for(state="detached")
    assert tab.page.input_value("#message") == f"{long}\n\nwhat I was writing"
    tab.page.click("button:has-text('Stop') >> nth=0")
    tab.wait_for_rest()


def test_model_and_instructions_are_those_of_the_session(tabs: Tabs, stack: Stack) -> None:
    tab = tabs()
    tab.wait_for_state("Live")
    tab.page.locator(".options summary").click()
    tab.page.locator(".options select").last.wait_for()
    models = tab.page.locator(".options select").last.locator("option").all()
    chosen = models[-1].get_attribute("value")
    assert chosen
    tab.page.locator(".options select").last.select_option(chosen)
    tab.page.locator(".options textarea").fill("Answer in verse.")
    tab.page.locator(".options summary").click()
    tab.send("Choose.")
    tab.wait_for_text("You wrote: “Choose.”")
    tab.wait_for_rest()
    session = tab.page.url.partition("s=")[2]
    (run,) = tab.page.request.get(f"{stack.url}/v1/runs?session_id={session}").json()["data"]
    row = stack.run_row(run["run_id"])
    assert (row.model, row.instructions) == (chosen, "Answer in verse.")
    tab.page.reload()
    tab.wait_for_state("Live")
    expect(tab.page.locator(".options-name")).to_have_text(chosen)
    tab.page.click("text=New chat")
    expect(tab.page.locator(".options summary")).not_to_contain_text("instructions")


def test_the_context_is_shown_as_a_ring_with_numbers(tab: Tab) -> None:
    tab.send("Fill it a little.")
    tab.wait_for_text("You wrote")
    tab.wait_for_rest()
    ring = tab.page.locator(".meter summary")
    assert "of 200,000 tokens" in (ring.get_attribute("title") or "")
    ring.click()
    expect(tab.page.locator(".meter .popover")).to_contain_text("This session so far:")
    expect(tab.page.locator(".foot")).to_contain_text("tokens in")
