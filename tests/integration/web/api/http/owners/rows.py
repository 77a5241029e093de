"""The table: for each route, requests that name what somebody else has.

In paths, queries, bodies and headers `{session}`, `{run}` and so on are names of
`belongings.Names`; `{mine_session}` and so on are those of who asks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Row:
    """`operation`: the route as the description has it; `path`: with names, and a query.
    `own`: the status that the owner gets, in another answer than the others; None: the same."""

    operation: str
    path: str
    own: int | None = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def method(self) -> str:
        return self.operation.split()[0]

    def __str__(self) -> str:
        more = "".join(f" {name}" for name in self.headers)
        said = f" {self.body}" if self.body is not None else ""
        return f"{self.method} {self.path}{more}{said}"


RUN = {"input": "x"}
BACKGROUND = {"input": "x", "background": True}
SESSION = "/api/sessions/{session}"
SESSION_OPERATION = "/api/sessions/{session_id}"
EVENTS = "/v1/runs/{run_id}/events"
RESPONSE = "/v1/responses/{response_id}"
KEY = {"Idempotency-Key": "{key}"}
SAME_RUN = {"input": "x", "session_id": "{session}", "client_request_id": "{request}"}

#: A foreign name is answered as one that exists nowhere.
BY_NAME = [
    # Runs.
    Row("GET /v1/runs/{run_id}", "/v1/runs/{run}"),
    Row("GET /v1/runs/{run_id}", "/v1/runs/{live}"),
    Row(f"GET {EVENTS}", "/v1/runs/{run}/events"),
    Row(f"GET {EVENTS}", "/v1/runs/{live}/events"),
    Row(f"GET {EVENTS}", "/v1/runs/{live}/events?starting_after=1"),
    Row(f"GET {EVENTS}", "/v1/runs/{live}/events?since=99", own=400),
    Row(f"GET {EVENTS}", "/v1/runs/{live}/events", headers={"Last-Event-ID": "1"}),
    Row("POST /v1/runs/{run_id}/stop", "/v1/runs/{live}/stop"),
    Row("POST /v1/runs/{run_id}/stop", "/v1/runs/{waiting}/stop"),
    Row("POST /v1/runs/{run_id}/approval", "/v1/runs/{live}/approval", body={"choice": "once"}),
    Row(
        "POST /v1/runs/{run_id}/approval",
        "/v1/runs/{live}/approval",
        body={"choice": "deny", "approval_id": 1},
    ),
    Row(
        "POST /v1/runs/{run_id}/approval",
        "/v1/runs/{live}/approval",
        body={"choice": "deny", "all": True},
    ),
    Row(
        "POST /v1/runs/{run_id}/approval",
        "/v1/runs/{run}/approval",
        body={"choice": "maybe"},
        own=400,
    ),
    Row("GET /api/runs/{run_id}/timeline", "/api/runs/{run}/timeline"),
    Row("GET /api/runs/{run_id}/timeline", "/api/runs/{live}/timeline"),
    Row("GET /api/runs/{run_id}", "/api/runs/{run}"),
    Row("GET /api/runs/{run_id}", "/api/runs/{live}"),
    Row("GET /api/runs/{run_id}/log", "/api/runs/{run}/log"),
    Row("GET /api/runs/{run_id}/log", "/api/runs/{live}/log?after=1"),
    Row("POST /api/runs/{run_id}/stop", "/api/runs/{live}/stop", own=None),
    Row("POST /api/runs/{run_id}/retry", "/api/runs/{failed}/retry", own=None),
    # What starts one: a foreign session, key or request is none.
    Row("POST /v1/runs", "/v1/runs", None, body={**RUN, "session_id": "{session}"}),
    Row("POST /v1/runs", "/v1/runs", None, RUN, headers={"X-Hermes-Session-Id": "{session}"}),
    Row(
        "POST /v1/runs",
        "/v1/runs",
        409,
        body={**RUN, "session_id": "{session}", "on_busy": "reject"},
    ),
    Row("POST /v1/runs", "/v1/runs", 202, SAME_RUN, headers=KEY),
    Row("POST /v1/runs", "/v1/runs", 409, RUN, headers=KEY),
    Row("POST /v1/runs", "/v1/runs", None, SAME_RUN),
    Row(
        "POST /v1/chat/completions",
        "/v1/chat/completions",
        None,
        body={"messages": [{"role": "user", "content": "x"}], "stream": True},
        headers={"X-Hermes-Session-Id": "{session}"},
    ),
    Row(
        "POST /v1/chat/completions",
        "/v1/chat/completions",
        409,
        body={"messages": [{"role": "user", "content": "x"}], "stream": True},
        headers=KEY,
    ),
    # Responses.
    Row(
        "POST /v1/responses",
        "/v1/responses",
        None,
        body={**BACKGROUND, "conversation": "{session}"},
    ),
    Row("POST /v1/responses", "/v1/responses", 409, BACKGROUND, headers=KEY),
    Row(
        "POST /v1/responses",
        "/v1/responses",
        body={**BACKGROUND, "previous_response_id": "{response}"},
    ),
    Row(
        "POST /v1/responses",
        "/v1/responses",
        body={
            "input": "x",
            "store": False,
            "stream": True,
            "previous_response_id": "{response}",
        },
    ),
    Row(f"GET {RESPONSE}", "/v1/responses/{response}"),
    Row(f"GET {RESPONSE}", "/v1/responses/{open_response}"),
    Row(f"GET {RESPONSE}", "/v1/responses/{response}?stream=true"),
    Row(f"GET {RESPONSE}", "/v1/responses/{response}?stream=true&starting_after=1"),
    Row(f"GET {RESPONSE}", "/v1/responses/{open_response}?stream=true&starting_after=0"),
    Row(f"DELETE {RESPONSE}", "/v1/responses/{response}"),
    Row(f"DELETE {RESPONSE}", "/v1/responses/{open_response}"),
    Row(f"POST {RESPONSE}/cancel", "/v1/responses/{open_response}/cancel"),
    Row(f"GET {RESPONSE}/input_items", "/v1/responses/{response}/input_items"),
    Row(
        f"GET {RESPONSE}/input_items",
        "/v1/responses/{response}/input_items?after=in_1&order=asc",
        own=400,
    ),
    # Sessions.
    Row(f"GET {SESSION_OPERATION}", SESSION),
    Row(f"PATCH {SESSION_OPERATION}", SESSION, body={"title": "another"}),
    Row(f"PATCH {SESSION_OPERATION}", SESSION, body={"archived": True}),
    Row(f"DELETE {SESSION_OPERATION}", SESSION, own=None),
    Row(f"DELETE {SESSION_OPERATION}", "/api/sessions/{idle}"),
    Row("POST /api/sessions/delete", "/api/sessions/delete", None, body={"ids": ["{session}"]}),
    Row("POST /api/sessions/delete", "/api/sessions/delete", body={"ids": ["{idle}"]}),
    Row("POST /api/sessions", "/api/sessions", 409, body={"id": "{session}"}),
    Row("POST /api/sessions", "/api/sessions", 400, body={"title": "{title}"}),
    Row(f"GET {SESSION_OPERATION}/messages", f"{SESSION}/messages"),
    Row(f"GET {SESSION_OPERATION}/messages", f"{SESSION}/messages?cursor={{messages_cursor}}"),
    Row(f"GET {SESSION_OPERATION}/messages", f"{SESSION}/messages?from=start&limit=1"),
    Row(f"GET {SESSION_OPERATION}/export", f"{SESSION}/export?format=json"),
    Row(f"GET {SESSION_OPERATION}/export", f"{SESSION}/export?format=md"),
    Row(f"GET {SESSION_OPERATION}/events", f"{SESSION}/events"),
    Row(f"GET {SESSION_OPERATION}/events", f"{SESSION}/events", headers={"Last-Event-ID": "1"}),
    Row(f"POST {SESSION_OPERATION}/fork", f"{SESSION}/fork", 201, body={}),
    Row(f"POST {SESSION_OPERATION}/fork", f"{SESSION}/fork", 201, body={"up_to": "{message}"}),
    Row(
        f"POST {SESSION_OPERATION}/chat",
        f"{SESSION}/chat",
        409,
        body={"message": "x", "on_busy": "reject"},
    ),
    Row(f"POST {SESSION_OPERATION}/chat/stream", f"{SESSION}/chat/stream", body={"message": "x"}),
    # Administrators' alone.
    Row("GET /api/deletions", "/api/deletions", own=None),
    Row(
        "POST /api/deletions/retry",
        "/api/deletions/retry",
        own=None,
        body={"profile": "default", "session_ids": ["{session}"]},
    ),
]

#: Names of others within what is one's own.
WITHIN_OWN = [
    Row(
        f"POST {SESSION_OPERATION}/fork",
        "/api/sessions/{mine_session}/fork",
        body={"up_to": "{message}"},
    ),
    Row(f"PATCH {SESSION_OPERATION}", "/api/sessions/{mine_session}", body={"title": "{title}"}),
    Row(
        f"POST {SESSION_OPERATION}/chat/stream",
        "/api/sessions/{mine_session}/chat/stream",
        body={"message": "x"},
        headers=KEY,
    ),
]

#: Lists and sums have nothing of others.
LISTS = [
    Row("GET /v1/runs", "/v1/runs?limit=100"),
    Row("GET /v1/runs", "/v1/runs?session_id={session}"),
    Row("GET /v1/runs", "/v1/runs?cursor={runs_cursor}"),
    Row("GET /api/runs", "/api/runs?limit=100"),
    Row("GET /api/runs", "/api/runs?owner=alice"),
    Row("GET /api/runs", "/api/runs?cursor={runs_cursor}"),
    Row("GET /api/runs", "/api/runs?session={session}"),
    Row("GET /api/runs", "/api/runs?worker=worker"),
    Row("GET /api/runs/counts", "/api/runs/counts"),
    Row("GET /api/runs/counts", "/api/runs/counts?owner=alice"),
    Row("GET /api/runs/stats", "/api/runs/stats"),
    Row("GET /api/queue", "/api/queue"),
    Row("GET /api/sessions", "/api/sessions?archived=any&limit=200"),
    Row("GET /api/sessions", "/api/sessions?q=secret"),
    Row("GET /api/sessions", "/api/sessions?cursor={sessions_cursor}"),
    Row("GET /api/sessions", "/api/sessions?offset=1"),
    Row("GET /api/usage", "/api/usage?by=session"),
    Row(
        f"GET {SESSION_OPERATION}/messages",
        "/api/sessions/{mine_session}/messages?cursor={messages_cursor}",
    ),
]

#: What names nothing of anybody, or only who asks.
OF_NOBODY = {
    "GET /api/me",
    "GET /api/profiles",
    "GET /health",
    "GET /health/detailed",
    "GET /v1/capabilities",
    "GET /v1/health",
    "GET /v1/models",
    "GET /v1/skills",
    "GET /v1/toolsets",
    # Not done here: 501.
    "GET /api/jobs",
    "POST /api/jobs",
    "GET /api/jobs/{job_id}",
    "PATCH /api/jobs/{job_id}",
    "DELETE /api/jobs/{job_id}",
    "POST /api/jobs/{job_id}/pause",
    "POST /api/jobs/{job_id}/resume",
    "POST /api/jobs/{job_id}/run",
    "POST /api/cron/fire",
    "POST /api/platforms/{platform}/events",
}
