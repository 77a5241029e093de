"""A pure fold of the events that describe the state of a live run: `resumed.events`.

It keeps the latest event of each name, in the order in which they came, and drops all of them when
the run ends. Of approval requests it keeps all that are open and shows the oldest, because gateways
answer them first in, first out (R10): showing the newest would hide the one that can be answered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.protocol.events import TERMINAL

REQUEST, RESPONDED = "approval.request", "approval.responded"
STATE_EVENTS = frozenset(
    {
        "compression.started",
        "compression.completed",
        "abort.started",
        "abort.completed",
        REQUEST,
        RESPONDED,
        "run.retrying",
        "run.reattached",
    }
)


class StateEvents:
    """The state events of one run so far. Feed with `apply`, read with `events`."""

    def __init__(self) -> None:
        self._latest: dict[str, dict[str, Any]] = {}
        self._open_requests: list[dict[str, Any]] = []

    def apply(self, event: object) -> None:
        """Fold one event in; only state events and terminal events change anything."""
        if not isinstance(event, Mapping) or not isinstance(name := event.get("event"), str):
            return
        if name in TERMINAL:
            self._latest, self._open_requests = {}, []
        elif name in STATE_EVENTS:
            self._latest.pop(name, None)  # so that it moves to the end
            self._latest[name] = dict(event)
            self._follow_approvals(name, dict(event))

    def events(self) -> list[dict[str, Any]]:
        """`[{event, data}]`, oldest first; `data` is the whole event (P7)."""
        shown = dict(self._latest)
        if self._open_requests and REQUEST in shown:
            shown[REQUEST] = self._open_requests[0]
        return [{"event": name, "data": dict(data)} for name, data in shown.items()]

    def open_approvals(self) -> list[dict[str, Any]]:
        """The `approval.request` events without an answer, oldest first; ids are their `seq`."""
        return [dict(request) for request in self._open_requests]

    def to_state(self) -> dict[str, Any]:
        """The state as JSON-able values, for a checkpoint; `from_state` continues from it."""
        return {"latest": list(self._latest.values()), "open_requests": self._open_requests[:]}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> StateEvents:
        """Restore what `to_state` gave. Raises KeyError on any other mapping."""
        restored = cls()
        restored._latest = {data["event"]: dict(data) for data in state["latest"]}
        restored._open_requests = [dict(request) for request in state["open_requests"]]
        return restored

    def _follow_approvals(self, name: str, event: dict[str, Any]) -> None:
        if name == REQUEST:
            self._open_requests.append(event)
        elif name == RESPONDED and self._open_requests:
            answered = event.get("approval_id")
            named = [r for r in self._open_requests if answered is not None]
            match = next((r for r in named if r.get("seq") == answered), self._open_requests[0])
            self._open_requests = [r for r in self._open_requests if r is not match]
