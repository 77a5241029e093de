"""Runs of users who are limited to some profiles (A14)."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from shared.db.database import Database
from shared.db.migrate import upgrade
from shared.db.models import RunRow, SessionRow
from shared.errors import UnknownProfile
from shared.event_log.clients import command_client
from shared.event_log.store import EventLog
from shared.hermes.profiles import Profiles
from shared.settings import Settings
from shared.user_tokens import digest
from tests.integration.web.api.test_requests_without import Queue
from tests.support.servers.redis_server import RedisServer
from web.api.run_requests import RunRequests
from web.payloads import RunPayload


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "users.toml"


def limit(file: Path, alice: list[str]) -> None:
    file.write_text(f'[users]\nalice = "{digest("a")}"\n[profiles]\nalice = {alice}\n')
    file.chmod(0o600)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path / 'test.db'}"
    upgrade(url)
    found = Database(url)
    yield found
    found.close()


@pytest.fixture
def requests(
    db: Database, tmp_path: Path, file: Path, redis_server: RedisServer
) -> Iterator[RunRequests]:
    more = tmp_path / "profiles.toml"
    more.write_text('[profiles.work]\nurl = "http://h:1"\n')
    environ = {"TOKENS_FILE": str(file), "PROFILES_FILE": str(more), "HERMES_HOME": str(tmp_path)}
    commands = command_client(redis_server.url)
    yield RunRequests(
        db=db,
        event_log=EventLog([commands], timedelta(seconds=60), "hf"),
        commands=commands,
        queue=Queue(),  # type: ignore[arg-type]
        profiles=Profiles.load(Settings.load(environ)),
        membership=None,
        queue_cap=20,
        session_max_bytes=2**28,
    )
    commands.close()


def run(requests: RunRequests, owner: str, profile: str, session_id: str) -> None:
    requests.accept(owner, profile, RunPayload(input="x", session_id=session_id))


def test_a_run_with_another_profile_is_refused_and_nothing_is_stored(
    requests: RunRequests, db: Database, file: Path
) -> None:
    limit(file, ["default"])
    run(requests, "alice", "default", "mine")
    with pytest.raises(UnknownProfile):
        run(requests, "alice", "work", "other")
    run(requests, "default", "work", "other")
    owners = select(SessionRow.owner).order_by(SessionRow.owner)
    stored = db.read(lambda tx: [*tx.scalars(owners)])
    assert stored == ["alice", "default"]


def test_a_session_of_a_profile_that_was_taken_away_goes_on_no_more(
    requests: RunRequests, db: Database, file: Path
) -> None:
    limit(file, ["default", "work"])
    run(requests, "alice", "work", "s")
    limit(file, ["default"])
    for asked_for in ("work", "default"):  # the session's own counts
        with pytest.raises(UnknownProfile):
            run(requests, "alice", asked_for, "s")
    assert db.read(lambda tx: tx.scalar(select(func.count()).select_from(RunRow))) == 1
