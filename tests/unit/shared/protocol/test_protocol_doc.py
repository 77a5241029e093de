"""docs/protocol.md says what the code says."""

from pathlib import Path

import pytest

from shared.protocol import events, protocol_doc
from shared.protocol.run_states import Reason
from tests.support.paths import ROOT

FILE = ROOT / "docs" / "protocol.md"


def test_the_page_in_docs_is_the_one_that_the_code_generates() -> None:
    assert FILE.read_text("utf-8") == protocol_doc.page(), (
        "stale: python -m shared.protocol.protocol_doc docs/protocol.md"
    )


def test_every_event_has_exactly_one_row() -> None:
    page = protocol_doc.page()
    tables = (
        events.CLIENT_EVENTS,
        events.RUN_EVENTS,
        events.SESSION_EVENTS,
        events.SOCKET_EVENTS,
    )
    names = [event.name for table in tables for event in table]
    assert len(names) == len(set(names))
    for name in names:
        assert page.count(f"\n| `{name}` |") == 1


def test_every_reason_is_named() -> None:
    page = protocol_doc.page()
    assert all(f"`{reason.value}`" in page for reason in Reason)


def test_it_prints_the_page_or_writes_it_into_a_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "protocol.md"
    assert protocol_doc.main([]) == 0
    assert protocol_doc.main([str(file)]) == 0
    assert capsys.readouterr().out == file.read_text("utf-8") == protocol_doc.page()


def test_more_than_one_file_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert protocol_doc.main(["one", "two"]) == 2
    assert "usage:" in capsys.readouterr().err
