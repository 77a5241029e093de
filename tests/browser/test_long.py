"""Long conversations: older messages come when one scrolls up, and nothing that is read moves."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Tab, Tabs
from tests.support.rows import add_talk
from tests.support.servers.stack import Stack

BOX = "document.querySelector('.scroll')"
IS_AT_END = f"() => {BOX}.scrollHeight - {BOX}.clientHeight - {BOX}.scrollTop <= 2"
TURNS = 1_000
TEXT = "a{n} " + "with some more words " * 12 + "\n\n```python\nx = {n}\n```\n"


@pytest.fixture
def long(stack: Stack, tabs: Tabs, session_id: str) -> Tab:
    """A session of 2,000 messages."""
    add_talk(stack.db, session_id, TURNS, TEXT)
    tab = tabs(session_id)
    tab.wait_for_state("Live")
    tab.wait_for_text(f"a{TURNS} ")
    return tab


def first_in_sight(tab: Tab) -> tuple[str, float]:
    """The first prompt in sight, and where it is, in pixels from the top."""
    found: tuple[str, float] = tab.page.evaluate(
        """() => {
            const top = document.querySelector('.scroll').getBoundingClientRect().top;
            for (const one of document.querySelectorAll('.prompt')) {
                const at = one.getBoundingClientRect().top - top;
                if (at >= 0) return [one.innerText, Math.round(at)];
            }
        }"""
    )
    return found[0], found[1]


def wheel(tab: Tab, pixels: float) -> None:
    """Turn the wheel, and wait until two frames have stayed the same."""
    tab.page.mouse.move(640, 300)
    tab.page.mouse.wheel(0, pixels)
    settle(tab)


def turn_up(tab: Tab) -> None:
    """Turn the wheel gently, as a finger does: several steps, each of less than a line."""
    for _ in range(4):
        tab.page.mouse.wheel(0, -10)
        tab.page.wait_for_timeout(30)


def settle(tab: Tab) -> None:
    """Wait until the conversation stands still."""
    tab.page.evaluate(
        """() => new Promise((done) => {
            const box = document.querySelector('.scroll');
            let last = '', same = 0;
            const look = () => {
                const now = `${box.scrollTop} ${box.scrollHeight}`;
                same = now === last ? same + 1 : 0;
                last = now;
                if (same > 10) done(); else requestAnimationFrame(look);
            };
            look();
        })"""
    )


def test_it_opens_at_its_end(long: Tab) -> None:
    settle(long)
    left = long.page.evaluate(
        "() => { const b = document.querySelector('.scroll');"
        " return b.scrollHeight - b.clientHeight - b.scrollTop; }"
    )
    assert left <= 2
    assert long.page.locator(".row").count() < 60, "only what is in sight is in the document"


def test_a_message_that_is_sent_is_shown_with_its_answer(long: Tab) -> None:
    """Also while the list still finds out how high its rows are, and from far above."""
    for tokens in (3, 4):
        long.send(f'[[demo {{"tokens": {tokens}}}]]')
        long.wait_for_text(f"t{tokens} ")
        long.wait_for_rest()
        wheel(long, -3_000)
        long.page.locator("text=To the newest").wait_for()


def test_all_of_it_is_reached_by_scrolling_up(long: Tab) -> None:
    beginning = long.page.locator("text=The beginning of the conversation.")
    for _ in range(200):
        if beginning.count() and long.page.evaluate(f"() => {BOX}.scrollTop") == 0:
            break
        wheel(long, -20_000)
    assert beginning.is_visible()
    assert first_in_sight(long)[0] == "q1"


def test_what_is_read_does_not_move_when_older_messages_come(long: Tab) -> None:
    held: list[object] = []
    long.page.route("**/messages?before=*", lambda route: held.append(route))
    long.page.mouse.move(640, 300)
    for _ in range(100):
        if long.page.evaluate(f"() => {BOX}.scrollTop") < 300:
            break
        wheel(long, -4_000)
    wheel(long, 200)
    assert held, "older messages were asked for before the top was reached"
    text, at = first_in_sight(long)
    before = long.page.evaluate(f"() => {BOX}.scrollHeight")
    with long.page.expect_response("**/messages?before=*"):
        held[0].continue_()  # type: ignore[attr-defined]
    long.page.wait_for_function(f"() => {BOX}.scrollHeight > {before} + 1000")
    settle(long)
    now, then = first_in_sight(long)
    assert now == text
    assert abs(then - at) <= 2


def test_a_page_that_cannot_be_read_can_be_asked_for_again(long: Tab) -> None:
    long.expect_fault("503")
    long.page.route("**/messages?before=*", lambda route: route.fulfill(status=503, json={}))
    failed = long.page.locator("text=Older messages could not be read.")
    for _ in range(100):
        if failed.count():
            break
        wheel(long, -20_000)
    failed.wait_for()
    long.page.unroute("**/messages?before=*")
    with long.page.expect_response("**/messages?before=*") as answer:
        failed.locator("button").click()
    assert answer.value.ok


def test_a_gentle_turn_of_the_wheel_stops_the_following(tab: Tab) -> None:
    tab.send('[[demo {"tokens": 900, "rate": 3000}]]')
    tab.wait_for_text("t900")
    tab.wait_for_rest()
    tab.send('[[demo {"tokens": 2000, "rate": 200}]]')
    tab.wait_for_text("t20 ")
    tab.page.mouse.move(640, 300)
    to_newest = tab.page.locator("text=To the newest")
    for _ in range(8):
        turn_up(tab)
        to_newest.wait_for()
        to_newest.click()
        to_newest.wait_for(state="detached")
    tab.page.mouse.wheel(0, 10)
    tab.page.wait_for_function(IS_AT_END)
    assert to_newest.count() == 0, "a turn downwards at the end leaves nothing"


def test_reading_above_is_not_disturbed_by_an_answer_that_grows(tab: Tab) -> None:
    tab.send('[[demo {"tokens": 900, "rate": 3000}]]')
    tab.wait_for_text("t900")
    tab.wait_for_rest()
    tab.send('[[demo {"tokens": 400, "rate": 100}]]')
    tab.wait_for_text("t20 ")
    tab.page.mouse.move(640, 300)
    turn_up(tab)
    tab.page.locator("text=To the newest").wait_for()
    top = tab.page.evaluate(f"() => {BOX}.scrollTop")
    tab.wait_for_text("t300 ")
    assert abs(tab.page.evaluate(f"() => {BOX}.scrollTop") - top) <= 1
    tab.page.click("text=To the newest")
    tab.wait_for_text("t400")
    tab.wait_for_rest()
    tab.page.wait_for_function(IS_AT_END)  # a frame after the end has changed the answer's height
