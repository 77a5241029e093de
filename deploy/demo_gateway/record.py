"""A record of what the gateway did, for tests: every accepted run and every token produced.

Written where text is produced, so it does not depend on readers of the stream.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from deploy.demo_gateway.journal import Journal
from deploy.demo_gateway.sessions import Message

MAX_RUNS = 2_000
MAX_CALLS = 10_000
# Characters of all texts and requests together; the oldest ended runs go first.
MAX_TEXT = 100_000_000


@dataclass
class RunRecord:
    """One run as it was produced. `body` is the request as it came."""

    run_id: str
    session_id: str
    body: dict[str, Any]
    created_at: float
    messages: list[Message] = field(default_factory=list)
    tokens_sent: int = 0
    characters: int = 0
    readers_opened: int = 0
    stops: int = 0
    status: str = "queued"
    ended: bool = False
    journal: Journal = field(default_factory=Journal)
    _texts: list[str] = field(default_factory=list)

    def add(self, text: str) -> None:
        """One message delta was produced."""
        self._texts.append(text)
        self.journal.write("token", self.run_id, text=text)
        self.tokens_sent += 1
        self.characters += len(text)

    def seal(self) -> None:
        """The run has ended: one string instead of many."""
        self._texts = ["".join(self._texts)]
        self.ended = True
        self.journal.write("end", self.run_id, status=self.status, messages=self.messages)

    def as_json(self) -> dict[str, Any]:
        """The record as `/demo/record` shows it."""
        return {
            "run_id": self.run_id,
            "session_id": self.session_id,
            "body": self.body,
            "created_at": self.created_at,
            "tokens_sent": self.tokens_sent,
            "text": "".join(self._texts),
            "readers_opened": self.readers_opened,
            "stops": self.stops,
            "status": self.status,
            "messages": self.messages,
        }


class Record:
    """Runs, posts, stops and deletes of this process, bounded."""

    def __init__(self, journal: Journal | None = None) -> None:
        self.journal = journal or Journal()
        self.posts = 0
        self.refused_posts = 0
        self._runs: deque[RunRecord] = deque()
        self._stops: deque[dict[str, Any]] = deque(maxlen=MAX_CALLS)
        self._deletes: deque[dict[str, Any]] = deque(maxlen=MAX_CALLS)

    def add_run(self, run: RunRecord) -> None:
        """Add a run, and remove the oldest ended ones above the limits."""
        run.journal = self.journal
        self.journal.write("post", run.run_id, session_id=run.session_id)
        self._runs.append(run)
        characters = sum(known.characters for known in self._runs)
        while self._runs[0].ended and (len(self._runs) > MAX_RUNS or characters > MAX_TEXT):
            characters -= self._runs.popleft().characters

    def add_stop(self, run_id: str, *, found: bool) -> None:
        """Add a request to stop a run."""
        self._stops.append({"run_id": run_id, "found": found})
        self.journal.write("stop", run_id, found=found)

    def add_delete(self, session_id: str, *, found: bool) -> None:
        """Add a request to delete a session."""
        self._deletes.append({"session_id": session_id, "found": found})

    def as_json(self, session_id: str | None = None) -> dict[str, Any]:
        """Everything, or only the runs, stops and deletes of one session."""
        runs = [run for run in self._runs if session_id in (None, run.session_id)]
        run_ids = {run.run_id for run in runs}
        return {
            "posts": self.posts if session_id is None else len(runs),
            "refused_posts": self.refused_posts if session_id is None else 0,
            "runs": [run.as_json() for run in runs],
            "stops": [s for s in self._stops if session_id is None or s["run_id"] in run_ids],
            "deletes": [d for d in self._deletes if session_id in (None, d["session_id"])],
        }
