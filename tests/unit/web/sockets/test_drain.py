"""How a process that stops spreads the closing of its sockets."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any, cast

import pytest

from web.sockets.drain import Drain

SOCKETS = 25


class _Transport:
    def __init__(self, closed: list[float]) -> None:
        self._closed = closed

    def close_as_lost(self) -> None:
        self._closed.append(time.monotonic())


class _Server:
    """Sockets without requests; `closed`: when each was."""

    def __init__(self) -> None:
        self.closed: list[float] = []

    def connection_ids(self) -> list[str]:
        return [str(number) for number in range(SOCKETS)]

    def connection(self, transport_id: str) -> _Transport:
        return _Transport(self.closed)

    def sid(self, transport_id: str) -> None:
        return None


@pytest.mark.parametrize(("per_socket", "within", "spread"), [(0.04, 5.0, 1.0), (1.0, 0.2, 0.2)])
def test_sockets_are_closed_a_few_at_a_time_and_no_later_than_allowed(
    monkeypatch: pytest.MonkeyPatch, per_socket: float, within: float, spread: float
) -> None:
    """All at once, they would come to the other processes all at once."""
    drawn: list[tuple[float, float]] = []

    def at_its_end(low: float, high: float) -> float:
        drawn.append((low, high))
        return high

    monkeypatch.setattr("web.sockets.drain.PER_SOCKET", per_socket)
    monkeypatch.setattr("web.sockets.drain.random.uniform", at_its_end)
    server = _Server()
    begun = time.monotonic()
    Drain(cast("Any", server), cast("Any", None), timedelta(seconds=within)).run()
    assert set(drawn) == {(0, spread)}
    assert len(server.closed) == SOCKETS
    assert min(server.closed) >= begun + spread, "none before its turn"
