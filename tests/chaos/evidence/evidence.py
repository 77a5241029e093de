"""The input of the judges: plain records of all sides, made without product code."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Row = dict[str, Any]


@dataclass
class Produced:
    """One run of the gateway, as its own journal has it. Times are of the wall clock."""

    run_id: str
    session_id: str
    at: float
    pid: int
    tokens: list[tuple[float, str]] = field(default_factory=list)
    stops: int = 0
    status: str = ""
    messages: list[Row] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Every delta, joined."""
        return "".join(text for _, text in self.tokens)


@dataclass(frozen=True)
class ReceivedEvent:
    """One event as a page got it. `text`: the delta, or for a shown session see `shown`."""

    at: float
    name: str
    run_id: str
    epoch: int
    seq: int
    text: str = ""
    detail: str = ""
    shown: Row | None = None


@dataclass
class Page:
    """One load of one tab, from the answer to its first `resume` to its end."""

    tab: str
    session_id: str
    opened: float
    closed: float = 0.0
    until_end: bool = False  # it was there when everything was over
    received: list[ReceivedEvent] = field(default_factory=list)


@dataclass(frozen=True)
class Sent:
    """A prompt that was sent. `run_id`: what the acknowledgement said, if one came."""

    at: float
    session_id: str
    tag: str
    request_id: str
    run_id: str
    code: str


@dataclass(frozen=True)
class Stop:
    """A person stopped what was live in a session, or interrupted it, from one tab."""

    session_id: str
    at: float
    tab: str

    def hit(self, run: Row) -> bool:
        """Whether it may have been this run that it hit."""
        end = run["ended_at"] or self.at
        return bool(
            run["session_id"] == self.session_id and run["created_at"] - 5 <= self.at <= end + 5
        )


@dataclass(frozen=True)
class Injected:
    """A fault that was in force from `at` to `until`."""

    name: str
    at: float
    until: float
    detail: str = ""


@dataclass(frozen=True)
class Grown:
    """Memory of one process: bytes after the warm-up and at the end, seconds between."""

    name: str
    pid: int
    start: int
    end: int
    seconds: float
    threads: tuple[int, int]
    files: tuple[int, int]


@dataclass
class Evidence:
    """All of it."""

    produced: dict[str, Produced] = field(default_factory=dict)
    refused: int = 0
    not_let_in: list[str] = field(default_factory=list)  # why, each time that a tab was not
    pages: list[Page] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    runs: dict[str, Row] = field(default_factory=dict)
    attempts: list[Row] = field(default_factory=list)
    messages: dict[str, list[Row]] = field(default_factory=dict)  # by run
    logs: dict[str, list[tuple[int, Row]]] = field(default_factory=dict)  # by run: seq, event
    streams: dict[str, list[Row]] = field(default_factory=dict)  # events (SSE), by session
    keys: dict[str, int] = field(default_factory=dict)  # key -> TTL in seconds, -1: none
    channels: list[str] = field(default_factory=list)
    double_posts: set[str] = field(default_factory=set)  # runs of which a process said so
    stops: list[Stop] = field(default_factory=list)
    faults: list[Injected] = field(default_factory=list)
    memory: list[Grown] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)  # faults that could not be done or healed

    def made_for(self, run_id: str) -> list[Produced]:
        """What the gateway did for one of our runs, oldest first."""
        ids = {row["ephemeral_id"] for row in self.attempts if row["run_id"] == run_id}
        found = [p for p in self.produced.values() if p.session_id in ids]
        return sorted(found, key=lambda produced: produced.at)

    def near(self, begin: float, end: float) -> list[Injected]:
        """Faults in force between two moments."""
        return [f for f in self.faults if f.at <= end and f.until >= begin]


@dataclass(frozen=True)
class Violation:
    """Something that must not be. `run_id` may be empty."""

    kind: str
    run_id: str
    what: str
