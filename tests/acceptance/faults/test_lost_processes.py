"""Processes that get SIGTERM or SIGKILL in the middle of a run."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from shared.db.models import UsageRow
from tests.acceptance.answers import assert_whole, numbered, talk
from tests.acceptance.conftest import Clients, JsClients
from tests.support.recording import Recording, answer
from tests.support.servers.postgres import PostgresServer
from tests.support.servers.processes import wait_until
from tests.support.servers.stack import Stack


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def mortal(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """One web process and two workers with short leases, on each database."""
    url = ""
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.create_database("mortal")
    made = Stack(database_url=url, workers=2, LEASE_SECONDS=3, REAP_SECONDS=0.5)
    try:
        yield made.start()
    finally:
        made.stop()
        if url:
            server.drop_database("mortal")


def test_a_worker_that_gets_sigterm_reads_its_run_to_the_end(
    mortal: Stack, connect: Clients, new_session: Callable[[], str]
) -> None:
    client, session_id = connect(mortal), new_session()
    run_id = client.run(talk(300, rate=100), session_id)
    client.wait_until(lambda: len(client.deltas(run_id)) > 100, what="some text")
    owner = mortal.owner_of(run_id)
    owner.signal(signal.SIGTERM)
    owner.wait_for_log("worker.draining")
    meanwhile = client.run(talk(5), new_session())
    assert_whole(client, meanwhile, 5)
    assert_whole(client, run_id, 300)
    assert "run.reattached" not in client.names()
    assert owner.wait(within=20) == 0
    mortal.workers.remove(owner)
    mortal.add_worker()
    assert len(mortal.posts(run_id)) == 1


def test_a_worker_that_gets_sigterm_right_after_a_run_ends_at_once(
    mortal: Stack, connect: Clients, new_session: Callable[[], str]
) -> None:
    client = connect(mortal)
    for _ in range(3):  # while the events of its task are not sent yet
        run_id = client.run(talk(20, rate=40), new_session())
        client.wait_until(partial(client.deltas, run_id), what="some text")
        owner = mortal.owner_of(run_id)
        client.end(run_id)
        owner.signal(signal.SIGTERM)
        assert owner.wait() == 0
        mortal.workers.remove(owner)
        mortal.add_worker()


def test_a_killed_worker_loses_no_word_and_its_run_ends_once(
    mortal: Stack, connect: Clients, new_session: Callable[[], str]
) -> None:
    client, tab, session_id = connect(mortal), connect(mortal), new_session()
    tab.resume(session_id)
    run_id = client.run(talk(400, rate=100), session_id)
    client.wait_until(lambda: len(client.deltas(run_id)) > 100, what="some text")
    owner = mortal.owner_of(run_id)
    owner.kill()
    mortal.workers.remove(owner)
    assert client.wait_for("run.reattached", within=25)["mode"] == "polling"
    for recording in (client, tab):
        end = recording.end(run_id, within=40)
        assert end["status"] == "completed"
        assert recording.text(run_id).strip() == numbered(400).strip()
        seqs = recording.seqs(run_id)
        assert seqs == list(range(1, len(seqs) + 1))
    assert mortal.stored_answer(run_id).strip() == numbered(400).strip()
    (posted,) = mortal.posts(run_id)
    assert posted["readers_opened"] == 1
    late = connect(mortal)
    assert answer(late.resume(session_id), run_id).strip() == numbered(400).strip()
    mortal.add_worker()
    assert_whole(client, client.run(talk(5), session_id), 5)


def test_a_web_process_that_gets_sigterm_or_sigkill_costs_a_reconnect_and_no_word(
    stack: Stack, connect: Clients, js_client: JsClients, session_id: str
) -> None:
    python, page = connect(stack, reconnection=True), js_client(stack)
    run_id = python.run(talk(700, rate=90), session_id)
    page.acknowledged("resume", {"session_id": session_id})
    for how in (signal.SIGTERM, signal.SIGKILL):
        marks = {recording: recording.mark() for recording in (python, page)}
        stack.restart_web(0, how)
        for recording, mark in marks.items():
            # A disconnect by the server would make clients give up (P2).
            assert recording.wait_for("disconnect", since=mark)["reason"].startswith("transport")
            recording.wait_for("connect", since=mark)
        page.acknowledged("resume", {"session_id": session_id})
        python.resume(session_id)
    whole = numbered(700).strip()
    for recording in (python, page):
        recording.wait_until(partial(shows, recording, run_id, whole), what="the whole text")
        assert not recording.all("run.failed")
    assert len(stack.posts(run_id)) == 1


def shows(recording: Recording, run_id: str, text: str) -> bool:
    return recording.text(run_id).strip() == text


def test_a_worker_killed_between_its_commit_and_the_announcement_doubles_nothing(
    mortal: Stack, connect: Clients, new_session: Callable[[], str]
) -> None:
    client, session_id = connect(mortal), new_session()
    tools = [{"after": 5, "name": "ls", "output": "a b"}]
    script = talk(150, rate=100, tools=tools, usage={"input_tokens": 7, "output_tokens": 5})
    run_id = client.run(script, session_id)
    client.wait_until(lambda: client.deltas(run_id), what="some text")
    owner = mortal.owner_of(run_id)
    # Without Redis the end is written after a while, and cannot be announced.
    os.kill(mortal.redis.pid, signal.SIGSTOP)
    try:
        mortal.wait_for_row(run_id, within=40, state="completed", announced_at=None)
        owner.kill()
    finally:
        os.kill(mortal.redis.pid, signal.SIGCONT)
    mortal.workers.remove(owner)
    wait_until(lambda: mortal.run_row(run_id).announced_at, within=30, what="it is announced")
    late = connect(mortal)
    shown = late.resume(session_id)
    assert shown["isWorking"] is False
    assert answer(shown, run_id).split() == numbered(150).split()
    assert [row.role for row in mortal.messages(run_id)] == [
        "user", "assistant", "tool", "assistant",
    ]  # fmt: skip
    usage = mortal.read(lambda s: s.query(UsageRow).filter_by(run_id=run_id).all())
    assert [(row.input_tokens, row.output_tokens) for row in usage] == [(7, 5)]
    assert client.end(run_id, within=30)["status"] == "completed"
    assert client.names(run_id).count("run.completed") == 1
    mortal.add_worker()
