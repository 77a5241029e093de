"""Whether a gateway's transcripts can be had is found out by asking it, and said (P25)."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.ports import free_port
from shared.errors import GatewayError
from shared.event_log.clients import command_client
from shared.event_log.gateway_notes import GatewayNotes
from shared.hermes.profiles import Profile, Profiles
from shared.settings import Settings
from tests.support.gateways.demo_gateway import DemoGateway
from tests.support.gateways.hermes_home import said, write_state
from tests.support.servers.processes import wait_until
from tests.support.servers.redis_server import RedisServer
from worker.gateway import transcript_check
from worker.gateway.client import GatewayClient
from worker.gateway.client_pool import ClientPool
from worker.gateway.transcript_check import Source, TranscriptCheck, transcript_source

KEY = "a-key-of-the-old-one"


@pytest.fixture(scope="module")
def old() -> Iterator[DemoGateway]:
    """A gateway without sessions over HTTP."""
    with DemoGateway.start(key=KEY, max_runs=0, no_sessions=True) as started:
        yield started


@pytest.fixture(scope="module")
def new() -> Iterator[DemoGateway]:
    with DemoGateway.start(key=KEY, max_runs=0) as started:
        yield started


def source(at: DemoGateway | str, home: Path | None = None) -> Source:
    profile = Profile("p", at if isinstance(at, str) else at.url, KEY, home=home)
    gateway = GatewayClient(
        profile, connections=1, connect_timeout=2.0, post_timeout=2.0, max_event=1
    )
    try:
        return transcript_source(gateway, profile)
    finally:
        gateway.close()


def test_a_gateway_with_sessions_needs_no_home(new: DemoGateway, tmp_path: Path) -> None:
    assert source(new) is source(new, tmp_path / "nowhere") is Source.HTTP


def test_one_without_is_read_from_its_home_if_that_is_here(
    old: DemoGateway, tmp_path: Path
) -> None:
    assert source(old) is Source.NONE
    assert source(old, tmp_path / "nowhere") is Source.NONE
    assert source(old, tmp_path) is Source.HOME, "a new home has no database yet"
    write_state(tmp_path, [{"id": "a"}], [said(1, "a", "user", "hi")])
    assert source(old, tmp_path) is Source.HOME
    (tmp_path / "state.db").write_bytes(b"no database" * 1000)
    assert source(old, tmp_path) is Source.NONE


def test_a_gateway_that_does_not_answer_says_nothing(new: DemoGateway) -> None:
    with pytest.raises(GatewayError):
        source(f"http://127.0.0.1:{free_port()}")
    new.faults(sessions_error=503, count=1)
    with pytest.raises(GatewayError):
        source(new)


@pytest.fixture
def notes(redis_server: RedisServer) -> GatewayNotes:
    return GatewayNotes(command_client(redis_server.url))


@pytest.fixture
def check(
    old: DemoGateway, new: DemoGateway, notes: GatewayNotes, tmp_path: Path
) -> Iterator[TranscriptCheck]:
    profiles = Profiles(
        {
            "old": Profile("old", old.url, KEY),
            "new": Profile("new", new.url, KEY),
            "away": Profile("away", f"http://127.0.0.1:{free_port()}", KEY),
        }
    )
    settings = Settings.load({"HOLDFAST_HOME": str(tmp_path), "HERMES_HOME": str(tmp_path)})
    pool = ClientPool(profiles, settings)
    yield TranscriptCheck(pool, notes)
    pool.close()


def test_at_the_start_all_are_checked_and_those_without_are_named_once(
    check: TranscriptCheck, notes: GatewayNotes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    notes.note_transcript("new", given=False)  # it was older yesterday
    check.start()
    wait_until(lambda: notes.without_transcript() == {"old"}, what="both are checked")
    check.check("old")
    (line,) = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert "profile=old missing=tool_results,reasoning" in line
    assert "`home` of [profiles.old]" in line
    assert "transcript.source profile=new source=http" in caplog.text
    notes.note_transcript("old", given=True)


def test_one_in_use_is_checked_now_and_then(
    check: TranscriptCheck, notes: GatewayNotes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcript_check, "CHECK_EVERY", 2.0)
    check.check_used("old")
    assert notes.without_transcript() == {"old"}
    notes.note_transcript("old", given=True)
    check.check_used("old")
    assert not notes.without_transcript(), "it was checked a moment ago"
    time.sleep(2.0)
    check.check_used("old")
    assert notes.without_transcript() == {"old"}
    notes.note_transcript("old", given=True)


def test_no_run_fails_because_of_it(check: TranscriptCheck) -> None:
    check.check_used("away")
    check.check_used("no such profile")
