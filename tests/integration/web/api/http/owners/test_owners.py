"""What belongs to another owner looks like what is not there: by every route, by every name."""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import asdict
from typing import Any

import pytest
import requests

from tests.integration.web.api.http.operations.conftest import SECRET, Site
from tests.integration.web.api.http.owners.belongings import Names, make, nowhere, seen_by
from tests.integration.web.api.http.owners.rows import (
    BY_NAME,
    LISTS,
    OF_NOBODY,
    WITHIN_OWN,
    Row,
)

HEADERS = ("Content-Type", "Allow", "Retry-After", "Idempotency-Replayed", "X-Hermes-Session-Id")
UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
ID = r"(run_|resp_|msg_|api_|in_|chatcmpl-)[0-9a-f]{32}(_\d+)?"
TIME = r"\b\d{9,}(\.\d+)?\b"
VARYING = re.compile(f"{UUID}|{ID}|{TIME}")


@pytest.fixture(scope="module")
def bobs(site: Site) -> Names:
    return make(site, "bob")


@pytest.fixture(scope="module")
def kept(site: Site) -> Names:
    return make(site, "alice")


@pytest.fixture
def alices(site: Site, kept: Names, row: Row) -> Names:
    """What Alice has: of this test alone, if its request may change something."""
    return kept if row.method == "GET" else make(site, "alice")


def ask(
    site: Site, name: str, row: Row, names: Names, mine: Names | None = None
) -> requests.Response:
    """The answer; of an event stream only its head is read."""
    own = {f"mine_{n}": value for n, value in asdict(mine).items()} if mine else {}
    path = row.path.format(**asdict(names), **own)
    answer = requests.request(
        row.method,
        f"{site.url}{path}",
        json=names.put_into(row.body),
        headers={"Authorization": f"Bearer token-of-{name}", **names.put_into(row.headers)},
        stream=True,
        timeout=20,
    )
    with closing(answer):
        if not is_stream(answer):
            assert isinstance(answer.content, bytes)
    return answer


def is_stream(answer: requests.Response) -> bool:
    return answer.headers["Content-Type"].startswith("text/event-stream")


def shown(answer: requests.Response, names: Names) -> tuple[Any, ...]:
    """What a client can tell from an answer, without the names that it sent and new ids."""
    text = "" if is_stream(answer) else answer.text
    parts = [text, *(answer.headers.get(name, "") for name in HEADERS)]
    for name in asdict(names).values():
        parts = [re.sub(rf"\b{re.escape(name)}\b", "<name>", part) for part in parts]
    return answer.status_code, *(VARYING.sub("<new>", part) for part in parts)


def seen(site: Site, row: Row, names: Names) -> dict[str, Any]:
    """What Alice sees of what she has, if the row may change it."""
    return {} if row.method == "GET" else seen_by(site.client("alice"), names)


def holds_secret(answer: requests.Response) -> bool:
    return not is_stream(answer) and SECRET in answer.text


def test_every_route_has_a_row(site: Site) -> None:
    document = requests.get(f"{site.url}/openapi.json", timeout=20).json()
    served = {f"{m.upper()} {path}" for path, methods in document["paths"].items() for m in methods}
    rows = {row.operation for row in (*BY_NAME, *WITHIN_OWN, *LISTS)}
    assert served == rows | OF_NOBODY


@pytest.mark.parametrize("row", BY_NAME, ids=str)
def test_what_is_anothers_looks_like_what_is_nowhere(site: Site, alices: Names, row: Row) -> None:
    before = seen(site, row, alices)
    none = nowhere()
    answers = {name: ask(site, name, row, alices) for name in ("bob", "olga")}
    assert shown(answers["bob"], alices) == shown(ask(site, "bob", row, none), none)
    assert not any(map(holds_secret, answers.values()))
    assert seen(site, row, alices) == before
    assert not holds_secret(ask(site, "adam", row, alices))
    if row.own is not None:
        own = ask(site, "alice", row, alices)
        assert own.status_code == row.own, own.text
        assert shown(own, alices) != shown(answers["bob"], alices)


@pytest.mark.parametrize("row", WITHIN_OWN, ids=str)
def test_names_of_others_are_none_within_what_is_ones_own(
    site: Site, alices: Names, bobs: Names, row: Row
) -> None:
    before, none = seen(site, row, alices), nowhere()
    answer = ask(site, "bob", row, alices, bobs)
    assert shown(answer, alices) == shown(ask(site, "bob", row, none, bobs), none)
    assert seen(site, row, alices) == before


@pytest.mark.parametrize("row", LISTS, ids=str)
def test_lists_and_searches_have_nothing_of_others(
    site: Site, alices: Names, bobs: Names, row: Row
) -> None:
    names = [alices.session, alices.run, alices.live, alices.failed, alices.response]
    answer = ask(site, "bob", row, alices, bobs)
    assert answer.status_code == 200
    assert not [name for name in names if name in answer.text]
    assert '"alice"' not in answer.text
    for name in ("olga", "adam"):
        assert not holds_secret(ask(site, name, row, alices, bobs))
    assert ask(site, "alice", row, alices, bobs).text != answer.text
