"""What a page is told about the gateway of its session."""

import pytest

from shared.errors import RedisUnavailable
from web.resume import notices
from web.resume.notices import Notices, no_notices


class Notes:
    """What workers have written, and how often it was read; away: Redis does not answer."""

    def __init__(self) -> None:
        self.profiles: frozenset[str] = frozenset()
        self.away = False
        self.reads = 0

    def read(self) -> frozenset[str]:
        self.reads += 1
        if self.away:
            raise RedisUnavailable
        return self.profiles


@pytest.fixture
def notes() -> Notes:
    return Notes()


def test_only_sessions_of_that_profile_are_told_what_will_be_missing(notes: Notes) -> None:
    notes.profiles = frozenset({"old", "default"})
    told = Notices(notes.read)
    (found,) = told.of("old")
    assert (found["code"], found["missing"]) == ("no_transcript", ["tool_results", "reasoning"])
    assert "[profiles.old]" in found["message"]
    assert "HERMES_HOME" in told.of("default")[0]["message"]
    assert told.of("new") == told.of("") == no_notices("old") == []


def test_many_sessions_cost_one_look(notes: Notes) -> None:
    told = Notices(notes.read)
    for _ in range(100):
        told.of("old")
    assert notes.reads == 1


def test_without_redis_what_was_known_is_told(
    notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "ASK_EVERY", -1.0)
    told = Notices(notes.read)
    notes.away = True
    assert told.of("old") == []
    notes.away, notes.profiles = False, frozenset({"old"})
    assert told.of("old")
    notes.away, notes.profiles = True, frozenset()
    assert told.of("old")
    notes.away = False
    assert told.of("old") == []
