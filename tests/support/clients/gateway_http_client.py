"""A plain HTTP client of a gateway, for tests: no retries, and every byte is shown."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

TERMINAL = {"completed", "failed", "cancelled"}
DEADLINE = 30.0  # seconds for any fact that a test waits for

Object = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """One response: status code, headers (names in lower case), decoded JSON body."""

    status: int
    headers: dict[str, str]
    body: Object


class EventReader:
    """An open `/events` response. `status` and `content_type` are known before any event."""

    def __init__(self, connection: http.client.HTTPConnection, path: str, key: str) -> None:
        self._connection = connection
        connection.request("GET", path, headers={"Authorization": f"Bearer {key}"})
        self._socket = connection.sock
        self._response = connection.getresponse()
        self.status = self._response.status
        self.content_type = self._response.headers.get_content_type()

    def lines(self) -> Iterator[str]:
        """Non-empty lines until the gateway closes. Raises TimeoutError after DEADLINE."""
        while line := self._response.readline():
            if text := line.decode().rstrip("\r\n"):
                yield text

    def __iter__(self) -> Iterator[Object]:
        """Events until the gateway closes; comment lines are passed over."""
        for line in self.lines():
            if line.startswith("data:"):
                yield json.loads(line[len("data:") :])

    def take_deltas(self, count: int) -> list[str]:
        """The next `count` message deltas; the stream stays open."""
        deltas: list[str] = []
        for event in self:
            if event["event"] == "message.delta":
                deltas.append(event["delta"])
            if len(deltas) == count:
                break
        return deltas

    def set_timeout(self, seconds: float) -> None:
        """From now on a silence of `seconds` raises TimeoutError."""
        self._socket.settimeout(seconds)

    def close(self) -> None:
        """Leave, whether the stream is at its end or not."""
        self._response.close()
        self._connection.close()


@dataclass
class GatewayHttpClient:
    """Talks to one gateway; remembers the runs it started so that a test can end them."""

    url: str
    key: str
    started: list[str] = field(default_factory=list)

    def call(
        self, method: str, path: str, body: object = None, *, key: str | None = None
    ) -> Answer:
        """One request with JSON in and out; `body` may be bytes that are sent as they are."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.key if key is None else key}"}
        connection = self._connect()
        try:
            connection.request(method, path, data, headers | {"Content-Type": "application/json"})
            response = connection.getresponse()
            raw = response.read()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, names, _object(raw))
        finally:
            connection.close()

    def start(self, text: object, session_id: str | None = None, **fields: object) -> str:
        """`POST /v1/runs`; gives the run id, fails the test if it is not a 202."""
        body = {"input": text, **fields} | ({"session_id": session_id} if session_id else {})
        answer = self.call("POST", "/v1/runs", body)
        assert answer.status == 202, answer
        self.started.append(answer.body["run_id"])
        return self.started[-1]

    @contextmanager
    def events(self, run_id: str) -> Iterator[EventReader]:
        """The run's stream, closed at the end of the block."""
        reader = EventReader(self._connect(), f"/v1/runs/{run_id}/events", self.key)
        try:
            yield reader
        finally:
            reader.close()

    def read(self, run_id: str) -> list[Object]:
        """All events of a run, to the end of its stream."""
        with self.events(run_id) as reader:
            assert reader.status == 200, run_id
            return list(reader)

    def status(self, run_id: str) -> Object:
        """`GET /v1/runs/{id}`."""
        return self.call("GET", f"/v1/runs/{run_id}").body

    def wait_status(self, run_id: str, *wanted: str) -> Object:
        """The run's status object once its state is one of `wanted` (default: a final one)."""
        deadline = time.monotonic() + DEADLINE
        states = set(wanted) or TERMINAL
        while (status := self.status(run_id)).get("status") not in states:
            assert time.monotonic() < deadline, status
            time.sleep(0.02)
        return status

    def session(self, session_id: str) -> Object:
        """The session's row."""
        answer = self.call("GET", f"/api/sessions/{session_id}")
        assert answer.status == 200, answer
        row: Object = answer.body["session"]
        return row

    def wait_prompt(self, session_id: str) -> None:
        """Until the session has its prompt: gateways make it a little after the run's start, and
        its first message a moment later."""
        deadline = time.monotonic() + DEADLINE
        path = f"/api/sessions/{session_id}/messages"
        while (answer := self.call("GET", path)).status != 200 or not answer.body["data"]:
            assert time.monotonic() < deadline, session_id
            time.sleep(0.02)

    def wait_busy(self, session_id: str) -> None:
        """Until the agent of the session's run is at work."""
        self.wait_prompt(session_id)

    def messages(self, session_id: str) -> list[Object]:
        """The session's transcript."""
        answer = self.call("GET", f"/api/sessions/{session_id}/messages")
        assert answer.status == 200, answer
        rows: list[Object] = answer.body["data"]
        return rows

    def stop_all(self) -> None:
        """Stop what this client started and wait for the ends: the next test starts with none."""
        for run_id in self.started:
            if self.status(run_id).get("status") not in {*TERMINAL, None}:
                self.call("POST", f"/v1/runs/{run_id}/stop")
        for run_id in self.started:
            self.wait_status(run_id)
        self.started.clear()

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=DEADLINE)


def _object(raw: bytes) -> Object:
    """The JSON object; empty for an answer that is none, as of an endpoint that does not exist."""
    try:
        found: Object = json.loads(raw)
    except ValueError:
        return {}
    return found
