"""The HTTP client of one gateway: its endpoints for runs and sessions, one method each.

`responses` decides what an answer means, `models` has the values that it becomes, `stream` reads
event streams.
"""

import logging
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import orjson
import requests

from shared.errors import (
    GatewayConflict,
    GatewayError,
    GatewayLostRun,
    GatewayNoResponse,
    GatewayUnsupported,
    StreamBroken,
)
from shared.hermes.profiles import Profile
from shared.metrics import worker as metrics
from worker.gateway import boundary, boundary_rows
from worker.gateway.exchange import Answer, Exchanges, NoAnswer
from worker.gateway.models import (
    Capabilities,
    GatewaySession,
    GatewayTranscript,
    GatewayWork,
    RunStatus,
    SessionPage,
)
from worker.gateway.prepared import PreparedRequests
from worker.gateway.responses import (
    is_replayed,
    read_answer,
    started_run,
    unsent_or_uncertain,
)
from worker.gateway.stream import raw_connection
from worker.gateway.stream.event_stream import SILENCE, EventStream
from worker.gateway.stream.raw_connection import RawResponse
from worker.gateway.stream.stream_reader import StreamReader

log = logging.getLogger(__name__)

# Seconds for a whole request, except the POST of a run and its event stream.
ANSWER_TIMEOUT = 10.0
TRANSCRIPT_TIMEOUT = 20.0  # it may be large
ANSWER_MOST = 64 * 2**20  # bytes of an answer
STREAM_HEADERS = {
    "Accept": "text/event-stream",
    "Accept-Encoding": "identity",
    "Cache-Control": "no-cache",
}


class GatewayClient:
    """One gateway, with a pool of open connections that all runs of the process share."""

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
        """`connections`: how many stay open between requests. Timeouts in seconds. `max_event`:
        bytes that a stream may send without an end of event. `gather`: seconds between two reads of
        a busy stream."""
        self.profile = profile
        self._url = profile.url
        self._connect = connect_timeout
        self._post_timeout = post_timeout
        self._max_event = max_event
        self._http = requests.Session()
        self._http.trust_env = False  # no proxy or .netrc between us and the gateway
        self._http.verify = str(profile.ca_file) if profile.ca_file else True
        if profile.api_key:
            self._http.headers["Authorization"] = f"Bearer {profile.api_key}"
        self._reader = StreamReader(gather)
        self._prepared = PreparedRequests(self._http, self._url)
        self._exchanges = Exchanges(self._http, connections)

    def close(self) -> None:
        """Break the open event streams, and close all connections. Safe to call twice."""
        self._reader.stop()
        self._http.close()

    # -- runs ------------------------------------------------------------------------------------

    def post_run(self, run_id: str, body: Mapping[str, Any]) -> str:
        """POST a run once, with `run_id` as idempotency key; returns the gateway's id of the run.

        Raises GatewayUnreachable or GatewayBusy when the gateway certainly does not have the run,
        PostUncertain when it may have it, PostConflict when it has another request of the run,
        GatewayError when it rejected the request for another reason.
        """
        headers = {"Idempotency-Key": run_id}
        try:
            answer = self._ask("POST", "/v1/runs", self._post_timeout, body, headers)
        except NoAnswer as error:
            raise unsent_or_uncertain(error) from error
        gateway_run_id = started_run(answer)
        if is_replayed(answer):
            log.info("post.replayed run_id=%s gateway_run_id=%s", run_id, gateway_run_id)
        return gateway_run_id

    def events(self, gateway_run_id: str) -> EventStream:
        """Open the run's event stream; a gateway without replay lets it be read once (R1).

        Raises GatewayLostRun for 404, StreamBroken for any other answer or none.
        """
        response = self._open_stream(f"/v1/runs/{_path(gateway_run_id)}/events")
        status, kind = response.head.status, response.content_type
        if status == 200 and kind.startswith("text/event-stream"):
            return EventStream(response, self._reader, self._max_event)
        response.close()
        if status == 404:
            raise GatewayLostRun()
        raise StreamBroken(f"stream: HTTP {status} {kind[:60]}")

    def _open_stream(self, path: str) -> RawResponse:
        try:
            request = self._prepared.make("GET", path, STREAM_HEADERS)
        except requests.RequestException as error:
            raise StreamBroken(f"stream: {type(error).__name__}") from error
        return raw_connection.get(
            request,
            verify=self._http.verify,
            connect_timeout=self._connect,
            head_timeout=SILENCE,
        )

    def status(self, gateway_run_id: str) -> RunStatus | None:
        """The run's status; None if the gateway does not know the run. Raises GatewayError."""
        answer = self._request("GET", f"/v1/runs/{_path(gateway_run_id)}")
        return None if answer is None else boundary.run_status(answer)

    def stop_run(self, gateway_run_id: str) -> bool:
        """Request the run's stop; False if the gateway does not know it. Raises GatewayError."""
        return self._request("POST", f"/v1/runs/{_path(gateway_run_id)}/stop") is not None

    def approve(self, gateway_run_id: str, choice: str) -> bool:
        """Answer the run's oldest open question; False if it has none. Raises GatewayError."""
        path = f"/v1/runs/{_path(gateway_run_id)}/approval"
        try:
            return self._request("POST", path, json={"choice": choice}) is not None
        except GatewayConflict:
            return False

    # -- sessions --------------------------------------------------------------------------------

    def session(self, session_id: str) -> GatewaySession | None:
        """The session's row with its token counts; None if there is no such session.

        This and the methods below raise GatewayUnsupported when the gateway offers no sessions over
        HTTP, and other kinds of GatewayError when the request fails.
        """
        answer = self._request_session("GET", session_id)
        return boundary_rows.session((answer or {}).get("session"), session_id)

    def transcript(self, session_id: str) -> GatewayTranscript | None:
        """The session's messages in order; None if there is no such session."""
        answer = self._request_session("GET", session_id, "/messages")
        return None if answer is None else boundary.transcript(answer, session_id)

    def delete_session(self, session_id: str) -> bool:
        """Delete the session; False if there was none."""
        return self._request_session("DELETE", session_id) is not None

    def list_sessions(self, *, offset: int = 0, limit: int = 200) -> SessionPage:
        """A page of all sessions, continuations included. Gateways return at most 200 at a time."""
        query = f"limit={limit}&offset={offset}&include_children=true"
        answer = self._request("GET", f"/api/sessions?{query}")
        page = boundary.session_page(answer or {}, limit)
        if page is None:
            raise GatewayUnsupported()
        return page

    def _request_session(
        self, method: str, session_id: str, tail: str = ""
    ) -> dict[str, Any] | None:
        return self._request(method, f"/api/sessions/{_path(session_id)}{tail}", about="session")

    # -- the gateway itself ----------------------------------------------------------------------

    def is_hermes(self) -> bool:
        """Whether the gateway is a Hermes Agent. Raises GatewayError."""
        for path in ("/v1/capabilities", "/health"):
            platform = boundary.platform(self._request("GET", path) or {})
            if platform is not None:
                return platform == "hermes-agent"
        return False

    def pid(self) -> int | None:
        """The gateway's process id, which changes with a restart (R2); None if unknown."""
        try:
            return self.work().pid
        except GatewayError:
            return None

    def work(self) -> GatewayWork:
        """The gateway's process id and number of running jobs. Raises GatewayError."""
        return boundary.work(self._request("GET", "/health/detailed") or {})

    def capabilities(self) -> Capabilities:
        """What the gateway says that it offers, asked anew each time. Raises GatewayError."""
        return boundary.capabilities(self._request("GET", "/v1/capabilities") or {})

    def replays(self) -> bool:
        """Whether a run's stream may be opened again and then starts from the beginning (R1)."""
        try:
            return self.capabilities().replays
        except GatewayError:
            return False

    def _request(
        self, method: str, path: str, about: str = "", json: Any = None
    ) -> dict[str, Any] | None:
        """Send one request; see `read_answer` for `about`, the result and the errors."""
        is_long = path.endswith("/messages")
        try:
            answer = self._ask(
                method, path, TRANSCRIPT_TIMEOUT if is_long else ANSWER_TIMEOUT, json
            )
        except NoAnswer as error:
            raise GatewayNoResponse(f"{method} {path}: {error}") from error
        return read_answer(answer, f"{method} {path}", about)

    def _ask(
        self,
        method: str,
        path: str,
        seconds: float,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request, with `json` as its body if there is any. Raises NoAnswer."""
        kind = {} if json is None else {"Content-Type": "application/json"}
        body = None if json is None else orjson.dumps(json)
        began, status = time.monotonic(), ""
        try:
            answer = self._exchanges.ask(
                lambda: self._prepared.make(method, path, {**kind, **(headers or {})}, body),
                connect=self._connect,
                seconds=seconds,
                most=ANSWER_MOST,
            )
            status = str(answer.status)
            return answer
        finally:
            took = time.monotonic() - began
            metrics.GATEWAY.labels(self.profile.name, method, status).observe(took)


def _path(name: str) -> str:
    return quote(name, safe="")
