"""The events that a client received, in order; the same record for every kind of client."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Payload = dict[str, Any]
Predicate = Callable[[Payload], object]

ENDS = frozenset({"run.completed", "run.failed", "run.cancelled"})
SHOWN = frozenset({"resumed", "session.resync"})


@dataclass(frozen=True)
class ReceivedEvent:
    """One event: when it came (seconds of the monotonic clock), its name, its object."""

    at: float
    name: str
    payload: Payload


class Recording:
    """Grows while a client listens; any thread may read it or wait for a fact of it."""

    def __init__(self, who: str = "client") -> None:
        self.who = who
        self.received: list[ReceivedEvent] = []
        self._changed = threading.Condition()

    def add(self, name: str, payload: Any) -> None:
        """Take one event down."""
        event = ReceivedEvent(time.monotonic(), name, payload if isinstance(payload, dict) else {})
        with self._changed:
            self.received.append(event)
            self._changed.notify_all()

    def mark(self) -> int:
        """A place in the record, for `since`."""
        return len(self.received)

    def all(self, name: str = "", *, run_id: str = "", since: int = 0) -> list[Payload]:
        """The objects of the events of that name (of any) and run (of any), in order."""
        return [
            event.payload
            for event in list(self.received[since:])
            if name in ("", event.name) and run_id in ("", event.payload.get("run_id"))
        ]

    def names(self, run_id: str = "", *, since: int = 0) -> list[str]:
        """The names of the events of a run (of any), in order."""
        return [
            event.name
            for event in list(self.received[since:])
            if run_id in ("", event.payload.get("run_id"))
        ]

    def wait_for(
        self,
        name: str,
        fits: Predicate = lambda payload: True,
        *,
        within: float = 20.0,
        since: int = 0,
    ) -> Payload:
        """The first event of that name that fits, received already or later."""

        def fitting() -> list[Payload]:
            return [p for p in self.all(name, since=since) if fits(p)]

        self.wait_until(fitting, within=within, what=name)
        return fitting()[0]

    def wait_until(
        self, fact: Callable[[], object], *, within: float = 20.0, what: str = ""
    ) -> None:
        """Wait for a fact about the record. Raises AssertionError after `within` seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: bool(fact()), timeout=within):
                raise AssertionError(f"{self.who}: not within {within} s: {what}; {self._story()}")

    def end(self, run_id: str, *, within: float = 30.0) -> Payload:
        """The object of the run's end, with its name as `event`; waits for it."""

        def ended() -> list[ReceivedEvent]:
            return [
                h for h in self.received if h.name in ENDS and h.payload.get("run_id") == run_id
            ]

        self.wait_until(ended, within=within, what=f"the end of {run_id}")
        (end,) = ended()
        return {**end.payload, "event": end.name}

    def deltas(self, run_id: str, *, since: int = 0) -> str:
        """The text of the run's deltas."""
        return "".join(p["delta"] for p in self.all("message.delta", run_id=run_id, since=since))

    def seqs(self, run_id: str) -> list[int]:
        """The seq of every event of the run that has one."""
        return [p["seq"] for p in self.all(run_id=run_id) if "seq" in p and "messages" not in p]

    def text(self, run_id: str) -> str:
        """What a page that knows nothing of seq shows of the run: `resumed` of its session, then
        deltas."""
        sessions = {p["session_id"] for p in self.all(run_id=run_id) if "session_id" in p}
        shown = ""
        for event in list(self.received):
            if event.name in SHOWN and "replay" not in event.payload:
                if not sessions or event.payload.get("session_id") in sessions:
                    shown = answer(event.payload, run_id)
            elif event.name == "message.delta" and event.payload.get("run_id") == run_id:
                shown += event.payload["delta"]
        return shown

    def _story(self) -> str:
        return str([(h.name, str(h.payload)[:160]) for h in self.received[-12:]])


def answer(resumed: Payload, run_id: str) -> str:
    """The text of a run's assistant messages in a `resumed`, stored or folded (P8)."""
    return "".join(
        message["content"]
        for message in resumed["messages"]
        if message["role"] == "assistant"
        and (message.get("run_id") == run_id or str(message["id"]).startswith(f"{run_id}:"))
    )
