"""Compression by the real gateway: what its model is asked, and what it is sent afterwards."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.conversation.summary_prompts import SUMMARY_PREFIX
from tests.support.gateways.hermes import HermesGateway
from tests.support.gateways.model_script import Turn
from tests.support.gateways.model_server import ModelServer
from tests.support.rows import add_run
from tests.support.servers.redis_server import RedisServer
from tests.support.worker_stand import SESSION, WorkerStand
from worker.run.run_turn import run_turn


@pytest.fixture
def stand(
    tmp_path: Path, redis_server: RedisServer, hermes_server: HermesGateway
) -> Iterator[WorkerStand]:
    database_url = f"sqlite:///{tmp_path / 'test.db'}"
    made = WorkerStand(tmp_path, database_url, redis_server, hermes_server, context_length=80_000)
    made.conversation(turns=150)
    yield made
    made.stop()


def test_the_model_writes_the_summary_and_gets_it_with_the_next_prompt(
    stand: WorkerStand, model: ModelServer
) -> None:
    model.by_prompt["</conversation>"] = lambda body: Turn(text=("THE REAL ", "SUMMARY"))
    model.by_prompt["after-the-summary"] = lambda body: Turn(text=("Understood",))
    run_id = add_run(stand.db, SESSION, text="Go on after-the-summary")
    run_turn(stand.services, run_id)
    assert stand.state(run_id) == "completed"
    completed = stand.event(run_id, "compression.completed")
    assert completed["compressed"] is True, completed
    (audit,) = stand.audit()
    assert audit.result == "compressed"
    assert set(stand.deletions()) >= {audit.ephemeral_id}
    request = next(r for r in model.requests if "after-the-summary" in str(r["messages"][-1]))
    texts = [str(message["content"]) for message in request["messages"]]
    (summary,) = [text for text in texts if SUMMARY_PREFIX in text]
    assert "THE REAL SUMMARY" in summary
    assert not any("[{'type'" in text for text in texts)
    assert not any("question <140>" in text for text in texts)
    assert any("question <141>" in text for text in texts)
