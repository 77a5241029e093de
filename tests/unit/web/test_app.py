"""What every HTTP request passes first: who may come in."""

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from web import app

NEW, KNOWN, HEALTH = "EIO=4&transport=websocket", "EIO=4&transport=polling&sid=a", ""


def asked(query: str, *, sockets: int = 0, stopping: bool = False) -> str:
    """The status of the answer."""
    said: list[str] = []

    def served(_: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [b""]

    emitter = SimpleNamespace(connection_ids=lambda: range(sockets))
    front = app._front(served, emitter, SimpleNamespace(stopping=stopping))  # type: ignore[arg-type]
    list(front({"QUERY_STRING": query}, lambda status, _: said.append(status)))
    return said[0][:3]


def test_a_process_with_all_its_sockets_refuses_more_and_serves_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(app, "SOCKETS_MAX", 2)
    assert [asked(query, sockets=1) for query in (NEW, KNOWN, HEALTH)] == ["200", "200", "200"]
    assert [asked(query, sockets=2) for query in (NEW, KNOWN, HEALTH)] == ["503", "200", "200"]


def test_a_process_that_leaves_takes_no_new_clients() -> None:
    answers = [asked(query, stopping=True) for query in (NEW, KNOWN, HEALTH)]
    assert answers == ["503", "200", "200"]
