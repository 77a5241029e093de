"""Which sessions make up a turn, told over HTTP by gateways of several ages (P25)."""

from pathlib import Path
from typing import Any, cast

import pytest

from shared.errors import GatewayNoResponse, GatewayUnsupported
from shared.hermes.profiles import Profile
from tests.support.gateways.hermes_home import said as said_at
from tests.support.gateways.hermes_home import write_state
from worker.gateway.client import GatewayClient
from worker.gateway.models import GatewaySession, GatewayTranscript, SessionPage
from worker.gateway.transcripts import read_steps, read_transcript

Row = GatewaySession
PROFILE = Profile("default", "http://127.0.0.1:1")


class Gateway(GatewayClient):
    """Sessions by name, each with one message; `follows`: messages are those of the last one."""

    def __init__(self, *rows: Row, follows: bool = False, error: Exception | None = None) -> None:
        super().__init__(PROFILE, connections=1, connect_timeout=1.0, post_timeout=1.0, max_event=1)
        self.rows = {row["id"]: row for row in rows}
        self.follows = follows
        self.error = error

    def session(self, session_id: str) -> Row | None:
        if self.error is not None:
            raise self.error
        return self.rows.get(session_id)

    def transcript(self, session_id: str) -> GatewayTranscript | None:
        if self.session(session_id) is None:
            return None
        told = list(self.rows)[-1] if self.follows else session_id
        return GatewayTranscript(told, [{"role": "assistant", "content": f"of {told}"}])

    def list_sessions(self, *, offset: int = 0, limit: int = 200) -> SessionPage:
        rows = list(self.rows.values())
        return SessionPage(rows[offset : offset + 1], offset + 1 < len(rows))


def session(name: str, parent: str | None = None, **columns: Any) -> Row:
    start = {"id": name, "source": "api", "parent_session_id": parent, "end_reason": None}
    row = {**start, "started_at": 1.0, "ended_at": None, "input_tokens": 10, **columns}
    return cast("Row", row)


CHAIN = (
    session("a", end_reason="compression", ended_at=2.0),
    session("b", "a", started_at=2.0, end_reason="compression", ended_at=3.0),
    session("c", "b", started_at=3.0),
)


def said(found: GatewayTranscript) -> list[str]:
    return [message["content"] for message in found.messages]


def read(gateway: Gateway, profile: Profile = PROFILE) -> GatewayTranscript:
    found = read_transcript(gateway, profile, "a")
    assert found is not None
    return found


def test_most_turns_are_one_session() -> None:
    found = read(Gateway(session("a")))
    assert (found.session_id, found.session_ids, said(found)) == ("a", ("a",), ["of a"])
    assert found.usage is not None
    assert (found.usage["input_tokens"], found.usage["output_tokens"]) == (10, 0)


def test_a_gateway_that_names_the_last_session_is_asked_for_those_between() -> None:
    found = read(Gateway(*CHAIN, follows=True))
    assert (found.session_id, found.session_ids) == ("c", ("a", "b", "c"))
    assert said(found) == ["of c"]
    assert found.usage is not None
    assert found.usage["input_tokens"] == 30


def test_of_a_gateway_that_does_not_the_list_tells_the_children() -> None:
    found = read(Gateway(*CHAIN))
    assert (found.session_id, found.session_ids) == ("c", ("a", "b", "c"))
    assert said(found) == ["of a", "of b", "of c"]


def test_a_child_from_before_the_compression_is_another_agents() -> None:
    found = read(Gateway(CHAIN[0], session("b", "a", started_at=1.5)))
    assert found.session_ids == ("a",)


def test_a_gap_in_the_chain_leaves_what_is_known() -> None:
    found = read(Gateway(CHAIN[0], CHAIN[2], follows=True))
    assert (found.session_id, found.session_ids) == ("c", ("a", "c"))


def test_another_conversation_that_a_gateway_names_is_none_of_the_turn() -> None:
    found = read(Gateway(session("a"), session("b"), session("c", "b"), follows=True))
    assert found.session_id == "c"  # so that its messages are not taken for the turn's
    assert found.session_ids == ("a",)  # those that are deleted with the turn
    assert found.usage is not None
    assert found.usage["input_tokens"] == 10


def test_nothing_there_is_none() -> None:
    assert read_transcript(Gateway(session("b")), PROFILE, "a") is None


def test_without_sessions_over_http_and_without_a_home_it_is_none(tmp_path: Path) -> None:
    gateway = Gateway(error=GatewayUnsupported())
    assert read_transcript(gateway, PROFILE, "a") is None
    assert read_transcript(gateway, Profile("p", "http://x", home=tmp_path), "a") is None


def test_a_gateway_that_fails_is_told() -> None:
    with pytest.raises(GatewayNoResponse):
        read_transcript(Gateway(error=GatewayNoResponse()), PROFILE, "a")


def test_what_a_polled_run_has_so_far_is_read_from_the_home_of_an_old_gateway(
    tmp_path: Path,
) -> None:
    gateway = Gateway(error=GatewayUnsupported())
    assert read_steps(gateway, "a") is None
    gateway.profile = Profile("default", PROFILE.url, home=tmp_path)
    assert read_steps(gateway, "a") is None
    write_state(tmp_path, [{"id": "a"}], [said_at(1, "a", "assistant", "from the home")])
    found = read_steps(gateway, "a")
    assert found is not None
    assert said(found) == ["from the home"]


def test_it_is_asked_for_over_http_where_that_is_offered(tmp_path: Path) -> None:
    gateway = Gateway(session("a"))
    gateway.profile = Profile("default", PROFILE.url, home=tmp_path)
    write_state(tmp_path, [{"id": "a"}], [said_at(1, "a", "assistant", "from the home")])
    found = read_steps(gateway, "a")
    assert found is not None
    assert said(found) == ["of a"]
