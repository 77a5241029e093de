"""Sessions over HTTP on both databases: a whole life, and values that a database might choke on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

import pytest

from shared.db.migrate import upgrade
from tests.integration.web.test_process import start_web
from tests.support.http_api import ApiClient
from tests.support.servers.processes import Processes
from tests.support.servers.redis_server import RedisServer
from tests.support.turns import say
from tests.support.web_stand import WebStand

ODD = [
    "\0",
    "a\0b",
    "\x7f",
    "\u2028",
    "9" * 30,
    "1e400",
    "-1",
    "%",
    "'",
    '"',
    "\U0010ffff",
    "x" * 5000,
]


@pytest.fixture
def alice(
    database_url: str, redis_server: RedisServer, tmp_path: Path
) -> Iterator[tuple[ApiClient, WebStand]]:
    """The only user of an installation, and the parts that play its worker."""
    upgrade(database_url)
    with ExitStack() as left:
        processes = Processes(tmp_path)
        left.callback(processes.stop_all)
        limits = {"SOCKETS_PER_OWNER": "2"}
        url, _ = start_web(processes, redis_server.url, database_url, tmp_path, **limits)
        stand = WebStand(redis_server.url, database_url)
        left.callback(stand.stop)
        yield ApiClient(url, "token"), stand


def test_a_session_lives_and_odd_values_harm_nothing(alice: tuple[ApiClient, WebStand]) -> None:
    client, stand = alice
    say(stand.db, "s", "a needle", "in the hay")
    say(stand.db, "s", "more", "of it")
    path = "/api/sessions/s"
    assert client.get("/api/sessions?q=needle").json()["data"][0]["match"]["messages"] == 1
    first = client.get(f"{path}/messages?limit=3").json()
    rest = client.get(f"{path}/messages?limit=3&cursor={first['next_cursor']}").json()
    assert len(first["data"] + rest["data"]) == 4
    up_to = rest["data"][0]["id"]
    copy = client.post(f"{path}/fork", {"id": "copy", "up_to": up_to}).json()["session"]
    assert copy["message_count"] == 1
    page = client.get("/api/sessions?limit=1").json()
    assert client.get(f"/api/sessions?limit=1&cursor={page['next_cursor']}").json()["data"]
    with client.session_events("s").response as response:
        assert response.status_code == 200
    for odd in ODD:
        said = quote(odd)
        answers = [
            *(
                client.get(f"/api/sessions?{name}={said}")
                for name in ("q", "workspace", "source", "profile", "cursor", "limit", "offset")
            ),
            client.get(f"/api/sessions/{said}"),
            client.get(f"{path}/messages?cursor={said}"),
            client.get(f"/api/sessions/{said}/events?since={said}"),
            client.post("/api/sessions/delete", {"ids": [odd]}),
            *(
                client.call("PATCH", path, {name: odd})
                for name in ("title", "workspace", "model", "profile", "end_reason")
            ),
            *(
                client.post("/api/sessions", {"id": f"new-{len(odd)}", name: odd})
                for name in ("id", "title", "workspace", "model", "profile")
            ),
            client.post(f"{path}/fork", {"title": odd}),
        ]
        assert [one.status_code for one in answers if one.status_code >= 500] == [], odd
    assert client.call("DELETE", path).status_code == 200


def test_a_chat_that_is_one_stream_too_many_starts_nothing(
    alice: tuple[ApiClient, WebStand],
) -> None:
    client, _ = alice
    client.post("/api/sessions", {"id": "s"})
    streams = [client.session_events("s") for _ in range(2)]
    for path in ("/chat", "/chat/stream"):
        answer = client.post(f"/api/sessions/s{path}", {"message": "x"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (429, "too_many_streams")
    refused = client.get("/api/sessions/s/events")
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "2")
    assert client.get("/v1/runs").json()["data"] == []
    for stream in streams:
        stream.close()
