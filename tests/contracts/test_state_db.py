"""The `state.db` of the real gateway says the same as its HTTP (P25)."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from shared.errors import GatewayUnsupported
from shared.hermes.profiles import Profile
from tests.contracts.conftest import RESULT, Plan, Real, newest_only, oldest_only
from tests.support.gateways.hermes import HermesGateway
from tests.support.gateways.hermes_install import NEWEST, OLDEST
from worker.gateway import hermes_cli, hermes_state_db
from worker.gateway.client import GatewayClient
from worker.gateway.transcripts import read_transcript

ONLY_THERE = {"reasoning_details", "codex_reasoning_items"}  # columns that HTTP leaves out


class OldClient(GatewayClient):
    """A client of a gateway without sessions over HTTP."""

    def _ask_session(self, *_: object) -> None:
        raise GatewayUnsupported()


@pytest.fixture
def profile(hermes_server: HermesGateway) -> Profile:
    return Profile("default", hermes_server.url, hermes_server.key, home=hermes_server.home)


def client(profile: Profile, kind: type[GatewayClient] = GatewayClient) -> GatewayClient:
    return kind(profile, connections=2, connect_timeout=2.0, post_timeout=10.0, max_event=2**20)


def in_hermes(installed: Path, home: Path, program: str) -> None:
    """Run a program with the gateway's own library, on its own home."""
    done = subprocess.run(
        ["env", f"HERMES_HOME={home}", str(installed / "bin" / "python"), "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


COMPRESSED = """
from hermes_constants import get_hermes_home
from hermes_state import SessionDB
db = SessionDB(get_hermes_home() / "state.db")
db.end_session("{parent}", "compression")
db.create_session("{child}", source="api_server", model="m", parent_session_id="{parent}")
db.append_message("{child}", "user", "a summary of what was")
db.append_message("{child}", "assistant", [{{"type": "text", "text": "went on"}}])
db.update_token_counts("{child}", input_tokens=7, output_tokens=3)
"""


@newest_only
def test_row_and_messages_are_those_of_http(real: Real, profile: Profile, session_id: str) -> None:
    real.read(real.start(real.prompt(Plan(tool=True, reasoning=3)), session_id))
    gateway = client(profile)
    shown, row = gateway.transcript(session_id), gateway.session(session_id)
    assert profile.home is not None
    found = hermes_state_db.read(profile.home, session_id)
    assert shown is not None
    assert found is not None
    assert found.usage == row
    read, given = (
        [{k: v for k, v in m.items() if k not in ONLY_THERE} for m in messages]
        for messages in (found.messages, shown.messages)
    )
    assert read == given
    assert [m["role"] for m in read] == ["user", "assistant", "tool", "assistant"]
    assert found.session_ids == (session_id,)


@newest_only
def test_the_home_says_the_same_as_http(real: Real, profile: Profile, session_id: str) -> None:
    real.read(real.start(real.prompt(Plan(tool=True)), session_id))
    new = read_transcript(client(profile), profile, session_id)
    old = read_transcript(client(profile, OldClient), profile, session_id)
    assert new is not None
    assert old is not None
    assert (old.session_id, old.session_ids, old.usage) == (
        session_id,
        new.session_ids,
        new.usage,
    )
    assert [m["content"] for m in old.messages] == [m["content"] for m in new.messages]


@oldest_only
def test_the_oldest_gateway_is_read_from_its_home(
    real: Real, profile: Profile, session_id: str
) -> None:
    real.read(real.start(real.prompt(Plan(tool=True, reasoning=3)), session_id))
    found = read_transcript(client(profile), profile, session_id)
    assert found is not None
    assert [m["role"] for m in found.messages] == ["user", "assistant", "tool", "assistant"]
    _, caller, result, _ = found.messages
    assert len((caller["reasoning"] or "").split()) == 3
    assert RESULT in result["content"]
    assert found.usage is not None
    assert (found.usage["output_tokens"] or 0) > 0
    elsewhere = Profile("p", profile.url, profile.api_key)
    assert read_transcript(client(profile), elsewhere, session_id) is None


@newest_only
def test_the_newest_rows_are_read_while_the_gateway_writes(
    real: Real, profile: Profile, session_id: str
) -> None:
    real.start(real.prompt(Plan(count=300, rate=50)), session_id)
    real.wait_prompt(session_id)
    found = hermes_state_db.read(hermes_home(profile), session_id)
    assert found is not None
    assert [m["role"] for m in found.messages] == ["user"]


def hermes_home(profile: Profile) -> Path:
    assert profile.home is not None
    return profile.home


@pytest.mark.parametrize(
    ("hermes_version", "at_hand"),
    [(OLDEST, True), (NEWEST, True), (NEWEST, False)],
    indirect=["hermes_version"],
)
def test_a_compressed_session_is_followed_to_its_end(
    real: Real, profile: Profile, hermes_library: Path, session_id: str, *, at_hand: bool
) -> None:
    real.read(real.start(real.prompt(Plan()), session_id))
    first = real.session(session_id)
    child = f"20260101_{session_id}"
    program = COMPRESSED.format(parent=session_id, child=child)
    in_hermes(hermes_library, hermes_home(profile), program)
    here = profile if at_hand else Profile("default", profile.url, profile.api_key)
    found = read_transcript(client(profile), here, session_id)
    assert found is not None
    assert found.session_id == child
    assert found.session_ids == (session_id, child)
    assert found.usage is not None
    assert found.usage["input_tokens"] == first["input_tokens"] + 7
    assert found.usage["output_tokens"] == first["output_tokens"] + 3
    roles = [m["role"] for m in found.messages]
    assert roles == (["user", "assistant"] * 2 if at_hand else ["user", "assistant"])
    assert found.messages[-1]["content"] == "went on"


def test_a_branch_or_another_agent_is_no_continuation(
    real: Real, profile: Profile, hermes_library: Path, session_id: str
) -> None:
    real.read(real.start(real.prompt(Plan()), session_id))
    program = f"""
from hermes_constants import get_hermes_home
from hermes_state import SessionDB
db = SessionDB(get_hermes_home() / "state.db")
for mark in ("_branched_from", "_delegate_from"):
    db.create_session("{session_id}" + mark, source="api_server", model="m",
        model_config={{mark: "{session_id}"}}, parent_session_id="{session_id}")
    db.append_message("{session_id}" + mark, "user", "not ours")
db.end_session("{session_id}", "compression")
"""
    in_hermes(hermes_library, hermes_home(profile), program)
    found = hermes_state_db.read(hermes_home(profile), session_id)
    assert found is not None
    assert found.session_ids == (session_id,)
    if real.modern:
        over_http = read_transcript(client(profile), Profile("p", profile.url), session_id)
        assert over_http is not None
        assert over_http.session_id == session_id


@pytest.mark.parametrize("prefix", ["", "-"])
def test_the_command_of_the_real_one_deletes(
    real: Real,
    profile: Profile,
    hermes_library: Path,
    session_id: str,
    prefix: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session_id = prefix + session_id
    real.read(real.start(real.prompt(Plan()), session_id))
    monkeypatch.setenv("PATH", f"{hermes_library / 'bin'}:/usr/bin:/bin")
    home = hermes_home(profile)
    assert hermes_cli.delete_session(home, session_id)
    assert hermes_state_db.read(home, session_id) is None
    assert not hermes_cli.delete_session(home, session_id)


def test_a_session_that_is_not_there_is_none_both_ways(profile: Profile, real: Real) -> None:
    assert read_transcript(client(profile), profile, "eph_nobody") is None
    assert read_transcript(client(profile, OldClient), profile, "eph_nobody") is None
    if real.modern:
        assert not client(profile).delete_session("eph_nobody")
    else:
        with pytest.raises(GatewayUnsupported):
            client(profile).delete_session("eph_nobody")


@newest_only
def test_the_list_of_sessions_has_pages(real: Real, profile: Profile, session_id: str) -> None:
    for number in range(3):
        real.read(real.start(real.prompt(Plan()), f"{session_id}_{number}"))
    gateway = client(profile)
    first = gateway.list_sessions(limit=2)
    second = gateway.list_sessions(offset=2, limit=2)
    ids = [row["id"] for row in (*first.rows, *second.rows)]
    assert first.more
    assert len(set(ids)) == len(ids)
    assert ids[:3] == [f"{session_id}_{number}" for number in (2, 1, 0)]
