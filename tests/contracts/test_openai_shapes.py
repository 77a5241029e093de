"""The same requests of OpenAI's API to the real gateway and to Holdfast in front of it.

Every difference of a status, a key or a type stands in the table of docs/api.md, with its reason.
"""

from __future__ import annotations

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

TABLE = "Differences of OpenAI's API"
COMPLETIONS, RESPONSES = "/v1/chat/completions", "/v1/responses"


def items(case: str, body: Any) -> Iterator[tuple[str, Shape]]:
    """The shapes of what lists hold: items of the output, choices."""
    for item in body.get("output") or []:
        yield f"{case} {item['type']}", shape(item)
        for part in item.get("content") or []:
            yield f"{case} {item['type']} part", shape(part)
    for choice in body.get("choices") or []:
        yield f"{case} choice", shape(choice)


def whole(client: Real, case: str, path: str, body: Any) -> Iterator[tuple[str, Shape]]:
    answer = client.call("POST", path, body)
    yield case, {"status": str(answer.status), **shape(answer.body)}
    yield from items(case, answer.body)


def streamed(client: Real, path: str, body: Any) -> Iterator[tuple[str, Any]]:
    """The events of a stream by their names, and those without by the kind of their object."""
    with requests.post(
        f"{client.url}{path}",
        json={**body, "stream": True},
        headers={"Authorization": f"Bearer {client.key}"},
        stream=True,
        timeout=60,
    ) as response:
        assert response.status_code == 200, response.text
        name = ""
        for line in response.iter_lines(decode_unicode=True):
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: "):
                data = line[6:]
                event = {} if data == "[DONE]" else json.loads(data)
                yield name or event.get("object", data), event
                name = ""


def faulty_bodies(client: Real) -> Iterator[tuple[str, Shape]]:
    empty = {"messages": [{"role": "user", "content": ""}]}
    faulty: dict[str, list[Any]] = {
        COMPLETIONS: [{}, {"messages": []}, empty, b"{no"],
        RESPONSES: [{}, {"input": ""}, {"input": 5}, b"{no"],
    }
    for path, bodies in faulty.items():
        for body in bodies:
            yield "faulty body", answered(client, "POST", path, body)
    both = {"input": "x", "conversation": "c", "previous_response_id": "resp_1"}
    yield "faulty body", answered(client, "POST", RESPONSES, both)
    parts = [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]
    yield "file", answered(client, "POST", COMPLETIONS, {"messages": parts})
    yield "file", answered(client, "POST", RESPONSES, {"input": parts})


def unknown_response(client: Real) -> Iterator[tuple[str, Shape]]:
    yield "no response", answered(client, "GET", f"{RESPONSES}/resp_nope")
    yield "no response", answered(client, "DELETE", f"{RESPONSES}/resp_nope")
    body = {"input": "x", "previous_response_id": "resp_nope"}
    yield "no response", answered(client, "POST", RESPONSES, body)


def completion(client: Real) -> Iterator[tuple[str, Shape]]:
    messages = [{"role": "user", "content": client.prompt(Plan(tool=True))}]
    yield from whole(client, "completion", COMPLETIONS, {"messages": messages})


def failed_completion(client: Real) -> Iterator[tuple[str, Shape]]:
    messages = [{"role": "user", "content": client.prompt(Plan(count=0, fails=True))}]
    yield from whole(client, "failed completion", COMPLETIONS, {"messages": messages})


def streamed_completion(client: Real) -> Iterator[tuple[str, Shape]]:
    messages = [{"role": "user", "content": client.prompt(Plan(tool=True))}]
    for name, event in streamed(client, COMPLETIONS, {"messages": messages}):
        status = event.get("status", "")
        ended = [c["finish_reason"] for c in event.get("choices", []) if c["finish_reason"]]
        case = " ".join(["chunk", name, status, *ended]).strip()
        yield case, shape(event)
        for choice in event.get("choices", []):
            role = " with role" if "role" in choice["delta"] else ""
            yield f"{case} choice{role}", shape(choice)


def response(client: Real) -> Iterator[tuple[str, Shape]]:
    text = client.prompt(Plan(tool=True))
    answer = client.call("POST", RESPONSES, {"input": text, "instructions": "Be kind."})
    yield "response", {"status": str(answer.status), **shape(answer.body)}
    yield from items("response", answer.body)
    path = f"{RESPONSES}/{answer.body['id']}"
    yield "response", answered(client, "GET", path)
    yield "deleted response", answered(client, "DELETE", path)
    yield "no response", answered(client, "GET", path)


def streamed_response(client: Real) -> Iterator[tuple[str, Shape]]:
    for name, event in streamed(client, RESPONSES, {"input": client.prompt(Plan(tool=True))}):
        kind = event.get("item", {}).get("type", "")
        yield f"event {name} {kind}".strip(), shape(event)
        yield from items(f"event {name}", event.get("response") or {})


ASKED: list[Callable[[Real], Iterator[tuple[str, Shape]]]] = [
    faulty_bodies,
    unknown_response,
    completion,
    failed_completion,
    streamed_completion,
    response,
    streamed_response,
]


@pytest.fixture(scope="module")
def found() -> set[str]:
    """All differences that the tests of this file have seen."""
    return set()


@newest_only
@pytest.mark.parametrize("ask", ASKED, ids=lambda ask: ask.__name__)
def test_a_client_of_the_gateway_sees_no_difference_that_is_not_listed(
    real: Real,
    holdfast: Real,
    found: set[str],
    ask: Callable[[Real], Iterator[tuple[str, Shape]]],
) -> None:
    seen = all_differences(dict(ask(real)), dict(ask(holdfast)))
    found |= seen
    assert unlisted(seen, documented(TABLE)) == []


def test_every_listed_difference_is_still_one(found: set[str]) -> None:
    assert unseen(documented(TABLE), found) == []
