"""The conversations that the real gateway stored are imported as they were (P29)."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.cli import main
from shared.db.database import Database
from shared.db.migrate import upgrade
from shared.db.models import SessionRow
from shared.db.sessions.read import read_conversation
from tests.contracts.conftest import Plan, Real
from tests.support.gateways.hermes import HermesGateway
from tests.support.gateways.model_server import ModelServer
from tests.support.rows import OWNER


@pytest.mark.parametrize("stopped", [False, True])
def test_a_real_home_is_imported(
    hermes_installed: Path,
    model: ModelServer,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    stopped: bool,
) -> None:
    home = tmp_path / "hermes"
    home.mkdir()
    with HermesGateway.start(model.url, home) as gateway:
        client = Real(gateway.url, gateway.key)
        client.model = model
        client.read(client.start(client.prompt(Plan(tool=True, reasoning=3)), "chat_one"))
        client.read(client.start(client.prompt(Plan()), "chat_one"))
        client.read(client.start(client.prompt(Plan()), "eph_hf_x"))
        shown, about = client.messages("chat_one"), client.session("chat_one")
        if not stopped:
            _import(database_url, home, monkeypatch)
    if stopped:
        _import(database_url, home, monkeypatch)
    db = Database(database_url)
    try:
        found = db.read(lambda tx: read_conversation(tx, OWNER, "chat_one"))
        row = db.read(lambda tx: tx.get(SessionRow, (OWNER, "chat_one")))
        throw_away = db.read(lambda tx: tx.get(SessionRow, (OWNER, "eph_hf_x")))
    finally:
        db.close()
    assert throw_away is None
    assert row is not None
    assert (row.model, row.started_at) == (about["model"], about["started_at"])
    assert (row.message_count, row.tool_call_count, row.next_turn) == (6, 1, 3)
    for name in ("role", "content", "timestamp", "tool_call_id", "tool_name"):
        kept = [message.get(name) for message in found.messages]
        assert kept == [message[name] for message in shown]
    call, answer = found.messages[1], found.messages[3]
    assert call["tool_calls"][0]["id"] == shown[1]["tool_calls"][0]["id"]
    assert call["reasoning"] == shown[1]["reasoning"]
    assert answer["finish_reason"] == "stop"


def _import(database_url: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("HERMES_HOME", str(home.parent / "no-hermes"))
    upgrade(database_url)
    assert main(["import", "--home", str(home)]) == 0
