"""The same requests about sessions to the real gateway and to Holdfast in front of it.

Every difference stands in the second table of docs/api.md, with its reason.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from tests.contracts.conftest import Plan, Real, newest_only
from tests.contracts.shapes import (
    Shape,
    all_differences,
    answered,
    documented,
    shape,
    unlisted,
    unseen,
)

Asked = Iterator[tuple[str, Shape]]
_numbers = itertools.count(1)


def fresh(client: Real, **fields: object) -> str:
    """A new session; its id, by which its path goes on."""
    name = f"shape-{next(_numbers)}"
    answer = client.call("POST", "/api/sessions", {"id": name, **fields})
    assert answer.status == 201, answer
    return name


def inside(client: Real, path: str) -> Shape:
    """The shape of the first thing in a list."""
    return shape(client.call("GET", path).body["data"][0])


def made_and_changed(client: Real) -> Asked:
    name = f"shape-{next(_numbers)}"
    title = f"title of {name}"
    yield "create", answered(client, "POST", "/api/sessions", {"id": name, "title": title})
    yield "create again", answered(client, "POST", "/api/sessions", {"id": name})
    yield "title again", answered(client, "POST", "/api/sessions", {"title": title})
    yield "create without id", answered(client, "POST", "/api/sessions", {})
    yield "create with bad id", answered(client, "POST", "/api/sessions", {"id": "../x"})
    path = f"/api/sessions/{name}"
    yield "show", answered(client, "GET", path)
    yield "rename", answered(client, "PATCH", path, {"title": f"new {title}"})
    yield "long title", answered(client, "PATCH", path, {"title": "x" * 200})
    yield "end", answered(client, "PATCH", path, {"end_reason": "done"})
    yield "unknown field", answered(client, "PATCH", path, {"colour": "red"})
    yield "not JSON", answered(client, "PATCH", path, b"{")
    yield "delete", answered(client, "DELETE", path)
    yield "delete again", answered(client, "DELETE", path)


def unknown_session(client: Real) -> Asked:
    path = "/api/sessions/shape-none"
    yield "show none", answered(client, "GET", path)
    yield "change none", answered(client, "PATCH", path, {"title": "x"})
    yield "messages of none", answered(client, "GET", f"{path}/messages")
    yield "fork none", answered(client, "POST", f"{path}/fork", {})
    yield "chat with none", answered(client, "POST", f"{path}/chat", {"message": "x"})
    yield "stream of none", answered(client, "POST", f"{path}/chat/stream", {"message": "x"})


def chatted(client: Real) -> Asked:
    name = fresh(client)
    path = f"/api/sessions/{name}"
    yield "nothing said", answered(client, "POST", f"{path}/chat", {})
    yield (
        "odd instructions",
        answered(client, "POST", f"{path}/chat", {"message": "x", "system_message": 5}),
    )
    said = {"message": client.prompt(Plan(tool=True))}
    yield "chat", answered(client, "POST", f"{path}/chat", said)
    page = client.call("GET", f"{path}/messages")
    yield "messages", {"status": str(page.status), **shape(page.body)}
    for message in page.body["data"]:
        yield f"message of {message['role']}", shape(message)
    yield "sessions", answered(client, "GET", "/api/sessions?limit=1")
    yield "listed session", inside(client, "/api/sessions?limit=1")
    yield "fork", answered(client, "POST", f"{path}/fork", {})
    yield "show with turns", answered(client, "GET", path)


def streamed(client: Real) -> Asked:
    name = fresh(client)
    plan = Plan(tool=True, count=6)
    yield from stream(client, name, client.prompt(plan))


def failed(client: Real) -> Asked:
    name = fresh(client)
    said = {"message": client.prompt(Plan(count=0, fails=True))}
    yield "failed chat", answered(client, "POST", f"/api/sessions/{name}/chat", said)


def failed_stream(client: Real) -> Asked:
    found = stream(client, fresh(client), client.prompt(Plan(count=0, fails=True)))
    yield from ((f"failed {case}", seen) for case, seen in found)


def stream(client: Real, name: str, said: str) -> Asked:
    with requests.post(
        f"{client.url}/api/sessions/{name}/chat/stream",
        json={"message": said},
        headers={"Authorization": f"Bearer {client.key}"},
        stream=True,
        timeout=60,
    ) as response:
        kind = response.headers["Content-Type"].partition(";")[0]
        headers = {"status": str(response.status_code), "type": kind}
        yield "stream", headers | {"session": response.headers["X-Hermes-Session-Id"] and "str"}
        event = ""
        for line in response.iter_lines(decode_unicode=True):
            field, _, value = line.partition(": ")
            if field == "event":
                event = value
            elif field == "data":
                payload: dict[str, Any] = json.loads(value)
                yield f"stream {event}", shape(payload)
                for message in payload.get("messages", []):
                    yield f"streamed message of {message['role']}", shape(message)


ASKED: list[Callable[[Real], Asked]] = [
    made_and_changed,
    unknown_session,
    chatted,
    streamed,
    failed,
    failed_stream,
]


@pytest.fixture(scope="module")
def found() -> set[str]:
    """All differences that the tests of this file have seen."""
    return set()


@newest_only
@pytest.mark.parametrize("ask", ASKED, ids=lambda ask: ask.__name__)
def test_sessions_look_as_those_of_the_gateway(
    real: Real, holdfast: Real, found: set[str], ask: Callable[[Real], Asked]
) -> None:
    seen = all_differences(dict(ask(real)), dict(ask(holdfast)))
    found |= seen
    assert unlisted(seen, documented("Differences of sessions")) == []


def test_every_listed_difference_is_still_one(found: set[str]) -> None:
    assert unseen(documented("Differences of sessions"), found) == []
