"""The same requests to the real gateway and to Holdfast in front of it: one status, one shape.

Every difference of a status, a key or a type stands in the table of docs/api.md, with its reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Any

import pytest

from tests.contracts.conftest import LONG, Plan, Real, Servers, newest_only
from tests.support.clients.gateway_http_client import Object
from tests.support.gateways.hermes_install import NEWEST
from tests.support.gateways.model_server import ModelServer
from tests.support.paths import ROOT
from tests.support.servers.stack import TOKEN, Stack

ROW = re.compile(r"^\| `(?P<difference>[^`]+)` \| (?P<reason>[^|]+) \|$", re.MULTILINE)
Shape = dict[str, str]  # path -> type


@pytest.fixture(scope="module")
def stack(hermes_servers: Servers) -> Iterator[Stack]:
    """Holdfast in front of the newest real gateway."""
    hermes_server = hermes_servers(NEWEST)
    made = Stack(gateway=(hermes_server.url, hermes_server.key))
    try:
        yield made.start()
    finally:
        made.stop()


@pytest.fixture
def holdfast(stack: Stack, model: ModelServer) -> Iterator[Real]:
    """A client of the gateway's API whose URL was changed, and nothing else."""
    client = Real(stack.url, TOKEN)
    client.model = model
    yield client
    client.stop_all()


def documented(title: str = "Differences") -> set[str]:
    """The differences in the table below that title of docs/api.md, as patterns."""
    page = (ROOT / "docs" / "api.md").read_text("utf-8")
    section = page.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    return {row["difference"] for row in ROW.finditer(section)}


def shape(value: Any, path: str = "") -> Shape:
    """Type of each field, below objects too."""
    if not isinstance(value, dict):
        return {path: type(value).__name__}
    found: Shape = {}
    for name, inner in value.items():
        found |= shape(inner, f"{path}.{name}" if path else name)
    return found


def differences(case: str, theirs: Shape, ours: Shape) -> set[str]:
    return {
        f"{case}: {name} {theirs.get(name, 'absent')} → {ours.get(name, 'absent')}"
        for name in theirs.keys() | ours.keys()
        if theirs.get(name) != ours.get(name)
    }


def answered(client: Real, method: str, path: str, body: object = None, **more: Any) -> Shape:
    answer = client.call(method, path, body, **more)
    return {"status": str(answer.status), **shape(answer.body)}


def unknown_run(client: Real) -> Iterator[tuple[str, Shape]]:
    run = "/v1/runs/run_nope"
    yield "status of no run", answered(client, "GET", run)
    yield "events of no run", answered(client, "GET", f"{run}/events")
    yield "stop of no run", answered(client, "POST", f"{run}/stop")
    yield "approval of no run", answered(client, "POST", f"{run}/approval", {"choice": "once"})


def faulty_bodies(client: Real) -> Iterator[tuple[str, Shape]]:
    for body in ({}, {"input": ""}, {"input": 5}, b"{not json"):
        yield "faulty body", answered(client, "POST", "/v1/runs", body)
    faulty = {"input": "x", "conversation_history": [{"role": "user"}]}
    yield "faulty body", answered(client, "POST", "/v1/runs", faulty)


def without_the_key(client: Real) -> Iterator[tuple[str, Shape]]:
    yield "wrong key", answered(client, "GET", "/v1/runs/run_nope", key="wrong")


def whole_run(client: Real) -> Iterator[tuple[str, Shape]]:
    plan = Plan(tool=True)
    answer = client.call("POST", "/v1/runs", {"input": client.prompt(plan)})
    yield "start", {"status": str(answer.status), **shape(answer.body)}
    run_id = answer.body["run_id"]
    client.started.append(run_id)
    yield from events(client.read(run_id))
    client.wait_status(run_id)
    yield "completed run", answered(client, "GET", f"/v1/runs/{run_id}")
    yield "stop of an ended run", answered(client, "POST", f"/v1/runs/{run_id}/stop")
    approval = answered(client, "POST", f"/v1/runs/{run_id}/approval", {"choice": "once"})
    yield "approval of an ended run", approval


def failed_run(client: Real) -> Iterator[tuple[str, Shape]]:
    run_id = client.start(client.prompt(Plan(count=0, fails=True)))
    yield from events(client.read(run_id))
    client.wait_status(run_id)
    yield "failed run", answered(client, "GET", f"/v1/runs/{run_id}")


def stopped_run(client: Real) -> Iterator[tuple[str, Shape]]:
    run_id = client.start(client.prompt(LONG))
    with client.events(run_id) as reader:
        reader.take_deltas(3)
        yield "running run", answered(client, "GET", f"/v1/runs/{run_id}")
        nothing = answered(client, "POST", f"/v1/runs/{run_id}/approval", {"choice": "once"})
        yield "approval without a question", nothing
        yield "stop", answered(client, "POST", f"/v1/runs/{run_id}/stop")
        rest = list(reader)
    yield from events(rest)
    client.wait_status(run_id)
    yield "cancelled run", answered(client, "GET", f"/v1/runs/{run_id}")


def asking_run(client: Real) -> Iterator[tuple[str, Shape]]:
    run_id = client.start(client.prompt(Plan(danger=True)))
    path = f"/v1/runs/{run_id}/approval"
    client.wait_status(run_id, "waiting_for_approval")
    yield "waiting run", answered(client, "GET", f"/v1/runs/{run_id}")
    yield "approval with a wrong choice", answered(client, "POST", path, {"choice": "maybe"})
    yield "approval", answered(client, "POST", path, {"choice": "approve"})
    yield from events(client.read(run_id))


def events(read: list[Object]) -> Iterator[tuple[str, Shape]]:
    """The shape of each kind of event; those of one kind have one shape."""
    for event in read:
        yield f"event {event['event']}", shape(event)


ASKED: list[Callable[[Real], Iterator[tuple[str, Shape]]]] = [
    unknown_run,
    faulty_bodies,
    without_the_key,
    whole_run,
    failed_run,
    stopped_run,
    asking_run,
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
    theirs, ours = dict(ask(real)), dict(ask(holdfast))
    seen: set[str] = set()
    for case in theirs.keys() & ours.keys():
        seen |= differences(case, theirs[case], ours[case])
    by_chance = {"event message.delta"}  # after a stop
    seen |= {f"{case}: absent → there" for case in ours.keys() - theirs.keys() - by_chance}
    assert not theirs.keys() - ours.keys() - by_chance
    found |= seen
    rows = documented()
    assert [one for one in sorted(seen) if not any(fnmatchcase(one, row) for row in rows)] == []


def test_every_listed_difference_is_still_one(found: set[str]) -> None:
    unseen = [row for row in documented() if not any(fnmatchcase(one, row) for one in found)]
    assert unseen == []
