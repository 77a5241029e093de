"""HTTP to one Hermes gateway: start, follow, stop a run; read and delete its sessions.

It knows the gateway's endpoints and which failures prove that a request was never taken (R2).
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson
import requests
from requests.adapters import HTTPAdapter

from shared.errors import (
    GatewayConflict,
    GatewayError,
    GatewayLostRun,
    GatewayNoResponse,
    GatewayUnsupported,
    StreamBroken,
)
from shared.hermes.profiles import Profile
from worker.gateway.responses import json_object, not_found, started_run, unsent_or_uncertain
from worker.gateway.stream import raw_connection
from worker.gateway.stream.event_stream import SILENCE, EventStream
from worker.gateway.stream.raw_connection import RawResponse
from worker.gateway.stream.stream_reader import StreamReader

log = logging.getLogger(__name__)

TERMINAL = frozenset({"completed", "failed", "cancelled"})
ASK_TIMEOUT = 10.0  # seconds, for the small questions
STREAM_HEADERS = {
    "Accept": "text/event-stream",
    "Accept-Encoding": "identity",
    "Cache-Control": "no-cache",
}


@dataclass(frozen=True)
class RunStatus:
    """What a gateway says of a run."""

    status: str
    output: str | None
    usage: dict[str, Any] | None
    error: str | None

    @property
    def terminal(self) -> bool:
        """Whether the gateway is done with it."""
        return self.status in TERMINAL


@dataclass(frozen=True)
class GatewayTranscript:
    """A gateway session's messages; `session_id` differs from the one asked if it was rotated."""

    session_id: str
    messages: list[dict[str, Any]]
    session_ids: tuple[str, ...] = ()  # the one asked and its continuations, in order (P25)
    usage: dict[str, Any] | None = None  # the session's row, token counts summed over them


@dataclass(frozen=True)
class SessionPage:
    """Some of a gateway's sessions, last used first; `more`: there may be a next page."""

    rows: list[dict[str, Any]]
    more: bool


@dataclass(frozen=True)
class GatewayWork:
    """What a gateway says of itself: its process, and how many runs it works on. None: unsaid."""

    pid: int | None
    active: int | None


class GatewayClient:
    """One gateway, with a pool of kept connections that all runs of the process share."""

    def __init__(
        self,
        profile: Profile,
        *,
        connections: int,
        connect_timeout: float,
        post_timeout: float,
        max_event: int,
        gather: float = 0.01,
    ) -> None:
        """`gather`: seconds in which the words of a busy stream gather before they are read."""
        self._url = profile.url
        self._connect = connect_timeout
        self._post_timeout = post_timeout
        self._max_event = max_event
        self._http = requests.Session()
        self._http.trust_env = False  # no proxy or .netrc between us and the gateway
        if profile.api_key:
            self._http.headers["Authorization"] = f"Bearer {profile.api_key}"
        self._reader = StreamReader(gather)
        adapter = HTTPAdapter(pool_connections=4, pool_maxsize=connections, max_retries=0)
        self._http.mount("http://", adapter)
        self._http.mount("https://", adapter)

    # -- runs ------------------------------------------------------------------------------------

    def start(self, run_id: str, body: Mapping[str, Any]) -> str:
        """Post a run; the gateway's id of it.

        Raises GatewayRefused or GatewayBusy when the gateway certainly does not have it,
        PostUncertain when nobody knows, GatewayError when it refused the request for good.
        """
        headers = {"Content-Type": "application/json", "Idempotency-Key": run_id}
        try:
            response = self._http.post(
                f"{self._url}/v1/runs",
                data=orjson.dumps(body),
                headers=headers,
                timeout=(self._connect, self._post_timeout),
            )
        except requests.RequestException as error:
            raise unsent_or_uncertain(error) from error
        return started_run(response)

    def events(self, gateway_run_id: str) -> EventStream:
        """The run's event stream. It has one reader, once (R1).

        Raises GatewayLostRun (404) or StreamBroken.
        """
        response = self._open_stream(f"{self._url}/v1/runs/{_path(gateway_run_id)}/events")
        status, kind = response.head.status, response.content_type
        if status == 200 and kind.startswith("text/event-stream"):
            return EventStream(response, self._reader, self._max_event)
        response.close()
        if status == 404:
            raise GatewayLostRun()
        raise StreamBroken(f"stream: HTTP {status} {kind[:60]}")

    def _open_stream(self, url: str) -> RawResponse:
        request = requests.Request("GET", url, headers=STREAM_HEADERS)
        try:
            prepared = self._http.prepare_request(request)
        except requests.RequestException as error:
            raise StreamBroken(f"stream: {type(error).__name__}") from error
        return raw_connection.get(
            prepared,
            verify=self._http.verify,
            connect_timeout=self._connect,
            head_timeout=SILENCE,
        )

    def status(self, gateway_run_id: str) -> RunStatus | None:
        """What the gateway says of the run; None if it does not know it. Raises GatewayError."""
        answer = self._ask("GET", f"/v1/runs/{_path(gateway_run_id)}")
        if answer is None:
            return None
        output, usage = answer.get("output"), answer.get("usage")
        return RunStatus(
            status=str(answer.get("status", "")),
            output=output if isinstance(output, str) else None,
            usage=usage if isinstance(usage, dict) else None,
            error=str(answer["error"]) if answer.get("error") else None,
        )

    def stop(self, gateway_run_id: str) -> bool:
        """Ask the gateway to stop; False if it does not know the run. Raises GatewayError."""
        return self._ask("POST", f"/v1/runs/{_path(gateway_run_id)}/stop") is not None

    def approve(self, gateway_run_id: str, choice: str) -> bool:
        """Answer the run's oldest open question; False if it has none. Raises GatewayError."""
        path = f"/v1/runs/{_path(gateway_run_id)}/approval"
        try:
            return self._ask("POST", path, json={"choice": choice}) is not None
        except GatewayConflict:
            return False

    # -- sessions --------------------------------------------------------------------------------

    def session(self, session_id: str) -> dict[str, Any] | None:
        """A session's row (totals of tokens); None if there is none.

        This and what follows raise GatewayLacks where a gateway has no sessions over HTTP, other
        kinds of GatewayError when it fails.
        """
        answer = self._ask_session("GET", session_id)
        row = (answer or {}).get("session")
        return row if isinstance(row, dict) else None

    def transcript(self, session_id: str) -> GatewayTranscript | None:
        """A session's messages in order; None if there is none."""
        answer = self._ask_session("GET", session_id, "/messages")
        if answer is None or not isinstance(answer.get("data"), list):
            return None
        messages = [message for message in answer["data"] if isinstance(message, dict)]
        return GatewayTranscript(str(answer.get("session_id", session_id)), messages)

    def delete_session(self, session_id: str) -> bool:
        """Delete a session; False if there was none."""
        return self._ask_session("DELETE", session_id) is not None

    def list_sessions(self, *, offset: int = 0, limit: int = 200) -> SessionPage:
        """A page of all sessions, continuations included; gateways give at most 200 at a time."""
        query = f"limit={limit}&offset={offset}&include_children=true"
        answer = self._ask("GET", f"/api/sessions?{query}")
        rows = (answer or {}).get("data")
        if answer is None or not isinstance(rows, list):
            raise GatewayUnsupported()
        more = bool(answer.get("has_more", len(rows) >= limit)) and bool(rows)
        return SessionPage([row for row in rows if isinstance(row, dict)], more)

    def _ask_session(self, method: str, session_id: str, tail: str = "") -> dict[str, Any] | None:
        return self._ask(method, f"/api/sessions/{_path(session_id)}{tail}", about="session")

    # -- the gateway itself ----------------------------------------------------------------------

    def is_hermes(self) -> bool:
        """Whether this is a Hermes Agent, which flattens history. Raises GatewayError."""
        for path in ("/v1/capabilities", "/health"):
            answer = self._ask("GET", path)
            if answer is not None and "platform" in answer:
                return bool(answer["platform"] == "hermes-agent")
        return False

    def pid(self) -> int | None:
        """The gateway's process id, if it tells; it changes with a restart (R2)."""
        try:
            return self.work().pid
        except GatewayError:
            return None

    def work(self) -> GatewayWork:
        """Which process it is and what it works on. Raises GatewayError."""
        return read_work(self._ask("GET", "/health/detailed") or {})

    def replays(self) -> bool:
        """Whether each reader of a run's events gets them from the first one on (R1)."""
        try:
            features = (self._ask("GET", "/v1/capabilities") or {}).get("features")
        except GatewayError:
            return False
        return isinstance(features, dict) and features.get("run_events_replay") is True

    def _ask(
        self, method: str, path: str, about: str = "", json: Any = None
    ) -> dict[str, Any] | None:
        """The answer's object; None for 404. With `about`, only for one that says that this is not
        found: a gateway without the route says something else."""
        try:
            response = self._http.request(
                method, f"{self._url}{path}", json=json, timeout=(self._connect, ASK_TIMEOUT)
            )
        except requests.RequestException as error:
            raise GatewayNoResponse(f"{method} {path}: {type(error).__name__}") from error
        if response.status_code == 404 and (not about or not_found(response, about)):
            return None
        if response.status_code in (404, 405, 501):
            raise GatewayUnsupported(
                f"{method} {path}: HTTP {response.status_code}, no such endpoint"
            )
        if response.status_code == 409:
            raise GatewayConflict(f"{method} {path}: HTTP 409")
        if not response.ok:
            raise GatewayError(f"{method} {path}: HTTP {response.status_code}")
        answer = json_object(response)
        if answer is None:
            raise GatewayError(f"{method} {path}: the answer is not a JSON object")
        return answer


def read_work(answer: Mapping[str, Any]) -> GatewayWork:
    """`/health/detailed` of a Hermes: runs stand under the readiness check of its queues, other
    work in `active_agents`."""
    pid = answer.get("pid")
    found: Any = answer
    for key in ("readiness", "checks", "background_queues", "active_api_runs"):
        found = found.get(key) if isinstance(found, dict) else None
    agents = answer.get("active_agents")
    known = isinstance(found, int)
    return GatewayWork(
        pid if isinstance(pid, int) else None,
        max(found, agents if isinstance(agents, int) else 0) if known else None,
    )


def _path(name: str) -> str:
    return quote(name, safe="")
