"""The conversations that the real gateway stored are imported as they were (P29)."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.cli import main
from shared.db.database import Database
from shared.db.migrate import upgrade
from shared.db.models import SessionRow
from shared.db.sessions.read import read_conversation
from tests.contracts.conftest import Plan, client_of, oldest_only
from tests.support.gateways.hermes import HermesGateway
from tests.support.gateways.hermes_install import NEWEST, OLDEST
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
    _assert_imported(NEWEST, model, database_url, tmp_path, monkeypatch, stopped=stopped)


@oldest_only
def test_a_real_home_of_the_oldest_one_is_imported(
    hermes_library: Path, model: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database_url = f"sqlite:///{tmp_path / 'test.db'}"
    _assert_imported(OLDEST, model, database_url, tmp_path, monkeypatch, stopped=False)


def _assert_imported(
    version: str,
    model: ModelServer,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    stopped: bool,
) -> None:
    home = tmp_path / "hermes"
    home.mkdir()
    with HermesGateway.start(model.url, home, version=version) as gateway:
        client = client_of(gateway, version, model)
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
    for name in ("role", "content", "timestamp", "tool_call_id"):
        kept = [message.get(name) for message in found.messages]
        assert kept == [message[name] for message in shown]
    (result,) = [message for message in found.messages if message["role"] == "tool"]
    assert result["tool_name"] == "terminal", "the oldest one has the name at the call only"
    call, answer = found.messages[1], found.messages[3]
    assert call["tool_calls"][0]["id"] == shown[1]["tool_calls"][0]["id"]
    assert call["reasoning"] == shown[1]["reasoning"]
    assert answer["finish_reason"] == "stop"


def _import(database_url: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("HERMES_HOME", str(home.parent / "no-hermes"))
    upgrade(database_url)
    assert main(["import", "--home", str(home)]) == 0
