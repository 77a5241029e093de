"""The page's types say what the tables of events say."""

import pytest

from shared.protocol import events, typescript
from shared.protocol.events import EventDef


def test_the_file_is_the_one_that_the_code_generates() -> None:
    assert typescript.main(["--check"]) == 0, "stale: python -m shared.protocol.typescript"


def test_every_event_has_a_type() -> None:
    text = typescript.source()
    tables = (events.CLIENT_EVENTS, events.RUN_EVENTS, events.SESSION_EVENTS, events.SOCKET_EVENTS)
    for event in (event for table in tables for event in table):
        assert f'  "{event.name}": ' in text


def test_a_difference_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    more = (*events.RUN_EVENTS, EventDef("run.new", "reason", "New."))
    monkeypatch.setattr(events, "RUN_EVENTS", more)
    assert typescript.main(["--check"]) == 1


def test_a_field_without_a_type_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    more = (*events.RUN_EVENTS, EventDef("run.new", "never_seen", "New."))
    monkeypatch.setattr(events, "RUN_EVENTS", more)
    with pytest.raises(typescript.UnknownField, match=r"run\.new: never_seen"):
        typescript.source()
