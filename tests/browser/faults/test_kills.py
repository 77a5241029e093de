"""Processes end in mid-answer, by accident and by a deploy: nothing said or typed is lost."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from shared.db.models import RunRow
from tests.browser.conftest import Tab
from tests.browser.test_faults import LOST
from tests.support.page.shown import tall
from tests.support.servers.stack import Stack

LONG = '[[demo {"tokens": 400, "rate": 40}]]'
WHOLE = " ".join(f"t{n}" for n in range(1, 401))


@pytest.fixture(scope="module")
def stack(built_page: None) -> Iterator[Stack]:
    """Two web processes behind one address, and two workers, which are missed soon."""
    made = Stack(web=2, workers=2, DEMO_GATEWAY=1, LEASE_SECONDS=3, REAP_SECONDS=0.5)
    try:
        yield made.start()
    finally:
        made.stop()


def run_of(stack: Stack, session_id: str) -> str:
    wanted = select(RunRow.id).where(RunRow.session_id == session_id)
    return str(stack.read(lambda tx: tx.scalars(wanted).one()))


def assert_whole(tab: Tab) -> None:
    tab.wait_for_text("t400")
    tab.wait_for_rest()
    assert tab.answer() == WHOLE
    with tall(tab.page):
        expect(tab.page.locator(".prompt")).to_have_count(1)


def test_a_killed_worker_makes_the_page_say_why_it_pauses_and_costs_no_word(
    tab: Tab, stack: Stack, session_id: str
) -> None:
    tab.send(LONG)
    tab.wait_for_text("t40 ")
    owner = stack.owner_of(run_of(stack, session_id))
    owner.kill()
    stack.workers.remove(owner)
    tab.page.locator(".working", has_text="The stream was lost. The agent goes on").wait_for()
    assert_whole(tab)
    stack.add_worker()


@pytest.mark.parametrize("how", ["ends", "is killed"])
def test_redis_comes_back_in_mid_answer(tab: Tab, stack: Stack, how: str) -> None:
    tab.expect_fault(*LOST)
    tab.send(LONG)
    tab.wait_for_text("t40 ")
    if how == "is killed":
        stack.redis.kill()
    stack.redis.restart()
    assert_whole(tab)


def test_a_rolling_deploy_while_an_answer_streams(tab: Tab, stack: Stack) -> None:
    tab.expect_fault(*LOST)
    tab.send(LONG)
    tab.wait_for_text("t40 ")
    for number in range(2):
        stack.restart_web(number, signal.SIGTERM)
        tab.wait_for_state("Live")
    assert_whole(tab)


def test_a_rolling_deploy_while_somebody_types(tab: Tab, stack: Stack) -> None:
    tab.expect_fault(*LOST)
    tab.page.click("#message")
    typed = ""
    for number in range(2):
        stack.end_web(number, signal.SIGTERM)
        tab.page.keyboard.type(f"without {number}, ")
        stack.start_web(number)
        tab.page.keyboard.type(f"with {number}. ")
        typed += f"without {number}, with {number}. "
    assert tab.page.input_value("#message") == typed
    tab.page.reload()
    tab.wait_for_state("Live")
    assert tab.page.input_value("#message") == typed


def test_what_is_sent_while_no_web_process_is_there_is_sent_once(tab: Tab, stack: Stack) -> None:
    tab.expect_fault(*LOST)
    for number in range(2):
        stack.end_web(number)
    tab.send("The first.")
    tab.send("The second.")
    tab.page.locator(".sending").nth(1).wait_for()
    for number in range(2):
        stack.start_web(number)
    tab.wait_for_text("You wrote: “The first.”")
    tab.wait_for_text("You wrote: “The second.”")
    tab.wait_for_rest()
    shown = tab.page.locator(".prompt > p:first-child")
    assert shown.all_inner_texts() == ["The first.", "The second."]
    assert tab.page.locator(".sending").count() == 0
