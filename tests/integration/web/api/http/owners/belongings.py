"""What Alice has, and how all of it is named; and the same names of what exists nowhere."""

from __future__ import annotations

import time
import uuid
from dataclasses import asdict, dataclass
from typing import Any

from shared.db.models import MessageRow
from tests.integration.web.api.http.operations.conftest import SECRET, Site
from tests.support.http_api import ApiClient
from tests.support.turns import end, say
from web.api.http.cursors import text_of


@dataclass(frozen=True)
class Names:
    """`session` has turns that have ended, the newest with `run` and `message`, and two runs:
    `live`, which waits for an approval, and `waiting`. `idle` is a session without one. `failed`
    has failed, `response` has ended. `key` came with a request that started a run, `request` is
    its id of the client. The cursors are of lists of runs, sessions and messages."""

    session: str
    idle: str
    message: str
    title: str
    run: str
    live: str
    waiting: str
    failed: str
    response: str
    open_response: str
    key: str
    request: str
    runs_cursor: str
    sessions_cursor: str
    messages_cursor: str

    def put_into(self, template: Any) -> Any:
        """The template with these names in place of `{session}` and the like; `{message}` alone
        is a number."""
        if isinstance(template, dict):
            return {name: self.put_into(value) for name, value in template.items()}
        if isinstance(template, list):
            return [self.put_into(value) for value in template]
        if not isinstance(template, str):
            return template
        text = template.format(**asdict(self))
        return int(text) if template == "{message}" else text


def nowhere() -> Names:
    """Names that nothing has."""
    return Names(
        session=_session(),
        idle=_session(),
        message="987654321",
        title=uuid.uuid4().hex,
        run=_run(),
        live=_run(),
        waiting=_run(),
        failed=_run(),
        response=_run().replace("run_", "resp_"),
        open_response=_run().replace("run_", "resp_"),
        key=uuid.uuid4().hex,
        request=uuid.uuid4().hex,
        runs_cursor=text_of([1.0, "x"]),
        sessions_cursor=text_of([False, 1.0, "x"]),
        messages_cursor=text_of([4, 0, 987654321]),
    )


def make(site: Site, name: str) -> Names:
    """What this user has from now on. Prompts, answers and errors have the secret."""
    client, session, idle, title = site.client(name), _session(), _session(), uuid.uuid4().hex
    client.post("/api/sessions", {"id": session, "title": title})
    for where in (idle, session, session, session):
        run = say(site.stand.db, where, SECRET, SECRET, owner=name)
    site.spend(name, time.time(), session_id=session)
    key, request = uuid.uuid4().hex, uuid.uuid4().hex
    started = client.post(
        "/v1/runs",
        {"input": "x", "session_id": session, "client_request_id": request},
        Idempotency_Key=key,
    )
    live = started.json()["run_id"]
    site.begin(live, session).append("approval.request", command=SECRET, choices=["once", "deny"])
    response, open_response = (
        client.post("/v1/responses", {"input": SECRET, "background": True}).json()["id"]
        for _ in range(2)
    )
    end(site.stand.db, run_of(response), {"role": "assistant", "content": SECRET})
    failed = site.failed(name)
    return Names(
        session=session,
        idle=idle,
        message=str(_message(site, session)),
        title=title,
        run=run,
        live=live,
        waiting=client.start(SECRET, session),
        failed=failed,
        response=response,
        open_response=open_response,
        key=key,
        request=request,
        runs_cursor=_cursor(client, "/v1/runs?limit=1"),
        sessions_cursor=_cursor(client, "/api/sessions?limit=1"),
        messages_cursor=_cursor(client, f"/api/sessions/{session}/messages?limit=1"),
    )


def seen_by(client: ApiClient, names: Names) -> dict[str, Any]:
    """Everything that the user can see of it, to be compared before and after."""
    pages = [
        f"/api/sessions/{names.session}",
        f"/api/sessions/{names.session}/messages",
        "/api/sessions?archived=any",
        "/v1/runs?limit=100",
        *(f"/v1/runs/{run}" for run in (names.run, names.live, names.waiting, names.failed)),
        f"/v1/responses/{names.response}",
        f"/v1/responses/{names.open_response}",
    ]
    return {page: client.get(page).json() for page in pages}


def run_of(response: str) -> str:
    """The run of a response."""
    return response.replace("resp_", "run_")


def _session() -> str:
    return f"session-{uuid.uuid4().hex}"


def _run() -> str:
    return f"run_{uuid.uuid4().hex}"


def _message(site: Site, session: str) -> int:
    def newest(tx: Any) -> int:
        found = tx.query(MessageRow.id).filter(MessageRow.session_id == session)
        return int(found.order_by(MessageRow.id.desc()).first()[0])

    return site.stand.db.read(newest)


def _cursor(client: ApiClient, path: str) -> str:
    cursor: str = client.get(path).json()["next_cursor"]
    return cursor
