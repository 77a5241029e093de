"""Sessions with more in them than a gateway or a model takes (C8, C15, A10)."""

from __future__ import annotations

import re
from typing import Any

import orjson
import pytest
from sqlalchemy import update

from shared.db.models import MessageRow, SessionRow
from shared.db.sessions import history_rows
from shared.db.sessions.history_rows import read_history
from tests.integration.conftest import MakeWorker
from tests.support.rows import messages
from tests.support.worker_stand import SESSION, WorkerStand
from worker.run.run_turn import run_turn
from worker.run_queue import claim_run


@pytest.fixture
def stand(make_worker: MakeWorker, database_url: str) -> WorkerStand:
    return make_worker(database_url, session=False)


def change(stand: WorkerStand, run_id: str, role: str, **columns: Any) -> None:
    here = (MessageRow.run_id == run_id, MessageRow.role == role)
    stand.db.write(lambda tx: tx.execute(update(MessageRow).where(*here).values(**columns)))


def history_size(stand: WorkerStand) -> int:
    return len(orjson.dumps(stand.history()))


def test_after_inputs_of_six_megabytes_a_short_turn_is_taken(stand: WorkerStand) -> None:
    stand.conversation(turns=3)
    for number in (1, 2):
        change(stand, f"old_{number}", "user", content="x" * 6_000_000)
    run_id = stand.run()
    assert stand.state(run_id) == "completed"
    assert history_size(stand) < 1_000_000
    texts = [entry["content"] for entry in stand.history()]
    assert texts[0] == "x" * 400_000 + "… [cut: 5,600,000 characters]"
    assert texts[1] == "answer <1>"
    assert texts[-2:] == ["question <3>", "answer <3>"]
    stored = [row.content for row in messages(stand.db, SESSION)]
    assert len(stored[0]) == 6_000_000, "it is cut only where it is sent"


def test_a_history_is_bounded_in_bytes_and_the_newest_messages_are_in_it(
    make_worker: MakeWorker,
) -> None:
    stand = make_worker(session=False, HISTORY_MAX_BYTES=50_000, context_length=10_000_000)
    stand.conversation(turns=100)
    for number in range(1, 101):
        change(stand, f"old_{number}", "assistant", content=f"<{number}> " + "é" * 1_000)
    stand.run()
    assert 25_000 < history_size(stand) <= 51_000
    texts = [entry["content"] for entry in stand.history()]
    assert re.fullmatch(r"\[1\d\d earlier messages were left out: .*\]", texts[0])
    assert texts[-1].startswith("<100> ")


def test_history_and_input_together_are_what_gateways_take(make_worker: MakeWorker) -> None:
    stand = make_worker(session=False, context_length=10_000_000)
    stand.conversation(turns=10)
    for number in range(1, 11):
        change(stand, f"old_{number}", "user", content="x" * 1_000_000)
    run_id = stand.queue(say="y" * 8_000_000)
    run_turn(stand.services, run_id)
    assert len(orjson.dumps(stand.posts("eph")[-1]["body"])) < 10_000_000
    assert history_size(stand) > 1_500_000


def test_a_prompt_that_the_gateway_refused_is_not_sent_in_full_again(stand: WorkerStand) -> None:
    stand.conversation(turns=1)
    prefix = f"eph_{stand.installation}_"
    stand.gateway.faults(session_prefix=prefix, post_status=413, count=1)
    refused = stand.queue(say="z" * 100_000)
    run_turn(stand.services, refused)
    assert stand.state(refused) == "failed"
    assert stand.state(stand.run()) == "completed"
    (sent,) = [e["content"] for e in stand.history() if "zzz" in e["content"]]
    assert len(sent) < 2_100
    assert re.search(r"… \[cut: 9\d,\d\d\d characters\]$", sent)


def test_a_result_of_a_tool_counts_as_it_is_sent(stand: WorkerStand) -> None:
    stand.conversation(turns=2, tool_output=2_000_000, tokens=None)
    run_id = stand.run()
    sent = history_size(stand)
    assert sent < 40_000
    usage = [p for name, p in stand.events(run_id) if name == "usage.updated"]
    assert usage[0]["inputTokens"] < sent
    assert "compression.started" not in stand.names(run_id)
    answer = messages(stand.db, SESSION)[-1].token_count or 0
    assert usage[-1]["inputTokens"] == usage[0]["inputTokens"] + answer


def test_a_count_of_the_version_before_is_put_right(stand: WorkerStand) -> None:
    stand.conversation(turns=1, tool_output=2_000_000)
    change(stand, "old_1", "tool", token_count=720_042)
    run_id = stand.run()
    assert "compression.started" not in stand.names(run_id)
    assert all((row.token_count or 0) < 20_000 for row in messages(stand.db, SESSION))


def test_only_what_follows_the_snapshot_is_read(stand: WorkerStand) -> None:
    stand.conversation(turns=150, tokens=1_000)
    stand.summaries("THE SUMMARY")
    stand.run("first")
    run_id = stand.queue()
    read = rows_read(stand, run_id, 1_000)
    snapshot = stand.snapshot()
    assert snapshot is not None
    assert {row["turn_no"] for row in read} == set(range(snapshot.last_turn_no + 1, 152))


def rows_read(stand: WorkerStand, run_id: str, most: int) -> list[dict[str, Any]]:
    claim = claim_run(stand.services, run_id)
    assert claim is not None
    session = stand.db.read(lambda tx: read_history(tx, claim, most))
    assert session is not None
    return session.messages


def test_a_worker_never_holds_more_than_a_bounded_part_of_a_session(
    stand: WorkerStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_rows, "HOLDS_MOST", 1_000_000)
    stand.conversation(turns=40)
    for number in range(1, 41):
        change(stand, f"old_{number}", "user", content="x" * 200_000)
    stand.db.write(lambda tx: tx.execute(update(SessionRow).values(stored_bytes=16_000_000)))
    read = rows_read(stand, stand.queue(), 100_000)
    assert sum(len(row["content"]) for row in read) <= 1_000_000
    assert sum(row["is_cut"] for row in read) == 40
    assert [row["content"] for row in read if row["role"] == "assistant"] == [
        f"answer <{number}>" for number in range(1, 41)
    ]


def test_large_blocks_become_their_text(stand: WorkerStand) -> None:
    stand.conversation(turns=2)
    small = [{"type": "image", "data": "x" * 100}]
    change(stand, "old_1", "user", content="[image]", content_blocks=small)
    large = [{"type": "image", "data": "x" * 100_000}]
    change(stand, "old_2", "user", content="[image]", content_blocks=large)
    read = [row for row in rows_read(stand, stand.queue(), 1_000) if row["role"] == "user"]
    assert [(row["content_blocks"], row["is_cut"]) for row in read] == [
        (small, False),
        (None, True),
    ]
