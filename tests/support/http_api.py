"""A client of the HTTP API in tests: plain requests, and readers of event streams."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import requests

Event = dict[str, Any]


@dataclass(frozen=True)
class Frame:
    """One event of a stream with its id; empty if it has none."""

    id: str
    event: Event


@dataclass
class ApiClient:
    """One user of one server."""

    url: str
    token: str

    def call(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> requests.Response:
        """One request; `body` as JSON, unless it is bytes. `Last_Event_ID=…` is that header."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return requests.request(
            method,
            f"{self.url}{path}",
            data=data,
            headers={
                "Authorization": f"Bearer {self.token}",
                "Content-Type": "application/json",
                **named,
            },
            timeout=30,
        )

    def get(self, path: str, **headers: str) -> requests.Response:
        return self.call("GET", path, **headers)

    def post(self, path: str, body: object = None, **headers: str) -> requests.Response:
        return self.call("POST", path, body, **headers)

    def start(self, text: object, session_id: str | None = None, **fields: object) -> str:
        """A run that is accepted; its id."""
        named = {} if session_id is None else {"session_id": session_id}
        answer = self.post("/v1/runs", {"input": text, **named, **fields})
        assert answer.status_code == 202, answer.text
        run_id: str = answer.json()["run_id"]
        return run_id

    def events(self, run_id: str, query: str = "", **headers: str) -> EventStream:
        """The run's event stream, opened."""
        return self._stream(f"/v1/runs/{run_id}/events{query}", headers)

    def session_events(self, session_id: str, query: str = "", **headers: str) -> EventStream:
        """The session's event stream, opened."""
        return self._stream(f"/api/sessions/{session_id}/events{query}", headers)

    def _stream(self, path: str, headers: dict[str, str]) -> EventStream:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        response = requests.get(
            f"{self.url}{path}",
            headers={"Authorization": f"Bearer {self.token}", **named},
            stream=True,
            timeout=30,
        )
        return EventStream(response)


@dataclass
class EventStream:
    """An open stream. `lines`: what was read of it so far; `leaving`: it is closed at the next line
    that comes, be it a comment."""

    response: requests.Response
    lines: list[str] = field(default_factory=list)
    leaving: bool = False

    def __iter__(self) -> Iterator[Frame]:
        """Frames until the server closes; comments are passed over."""
        last = ""
        for raw in self.response.iter_lines(chunk_size=None):
            line = raw.decode()
            self.lines.append(line)
            if self.leaving:
                self.close()
                return
            if not line:
                last = ""
            elif line.startswith("id: "):
                last = line[4:]
            elif line.startswith("data: "):
                yield Frame(last, json.loads(line[6:]))

    def until(self, name: str, count: int = 1) -> list[Frame]:
        """Frames up to the `count`th of that name; the stream stays open."""
        found: list[Frame] = []
        for frame in self:
            found.append(frame)
            if sum(f.event["event"] == name for f in found) == count:
                return found
        raise AssertionError(f"the stream ended without {count} {name}: {self.lines[-5:]}")

    def close(self) -> None:
        self.response.close()

    @property
    def is_closed_as_ended(self) -> bool:
        """Whether the server said that the run's stream is over."""
        return ": stream closed" in self.lines[-3:]


def text_of(frames: list[Frame]) -> str:
    """What a client shows as the answer."""
    shown = ""
    for frame in frames:
        if frame.event["event"] == "message.delta":
            shown += frame.event["delta"]
        elif frame.event["event"] == "message.snapshot":
            shown = frame.event["text"]
    return shown


class BackgroundReader:
    """Reads a stream to its end in a thread; comes back with `Last-Event-ID` when it breaks."""

    def __init__(self, client: ApiClient, run_id: str) -> None:
        self.client = client
        self.run_id = run_id
        self.frames: list[Frame] = []
        self.opened = 0
        self.joined = 0  # times that it was let in
        self.ended = False
        self._stream: EventStream | None = None
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while not self.ended and self.opened < 1000:
            self.opened += 1
            try:
                self._read_once()
            except requests.RequestException:
                threading.Event().wait(0.1)

    def _open(self, at: dict[str, str]) -> EventStream:
        return self.client.events(self.run_id, **at)

    def _read_once(self) -> None:
        ids = [frame.id for frame in self.frames if frame.id]
        at = {"Last_Event_ID": ids[-1]} if ids else {}
        stream = self._open(at)
        if stream.response.status_code != 200:
            stream.close()
            threading.Event().wait(0.2)
            return
        self.joined += 1
        self._stream = stream
        for frame in stream:
            self.frames.append(frame)
        self.ended = self.ended or stream.is_closed_as_ended

    def leave(self) -> None:
        """Close the stream at its next line, and do not come back."""
        self.ended = True
        if self._stream is not None:
            self._stream.leaving = True

    def wait(self, within: float = 30.0) -> list[Frame]:
        """The frames, once the stream has ended."""
        self._thread.join(within)
        assert self.ended, (self.opened, self.frames[-2:])
        return self.frames


class SessionFollower(BackgroundReader):
    """The same with the events of a session, which end when it is deleted."""

    def _open(self, at: dict[str, str]) -> EventStream:
        return self.client.session_events(self.run_id, **at)

    @property
    def placed(self) -> list[Frame]:
        """The frames that have an id: what a client that comes back must have once, and whole."""
        return [frame for frame in self.frames if frame.id]

    def names(self) -> list[str]:
        return [frame.event["event"] for frame in self.placed]

    def wait_for(self, name: str, count: int = 1, within: float = 30.0) -> None:
        """Until it has the `count`th event of that name."""
        deadline = time.monotonic() + within
        while [frame.event["event"] for frame in self.frames].count(name) < count:
            assert time.monotonic() < deadline, (name, count, self.frames[-3:])
            threading.Event().wait(0.02)


def texts_of(frames: list[Frame]) -> dict[str, str]:
    """What a client of a session shows as the answer of each run, in the order of the runs."""
    runs = dict.fromkeys(f.event["run_id"] for f in frames if f.event.get("run_id"))
    return {run: text_of([f for f in frames if f.event.get("run_id") == run]) for run in runs}
