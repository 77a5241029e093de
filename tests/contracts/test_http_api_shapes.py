"""The same requests to the real gateway and to Holdfast in front of it: one status, one shape.

Every difference of a status, a key or a type stands in the table of docs/api.md, with its reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.contracts.conftest import LONG, Plan, Real, newest_only
from tests.contracts.shapes import Shape, answered, differences, documented, shape, unlisted, unseen
from tests.support.clients.gateway_http_client import Object


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
    assert unlisted(seen, documented()) == []


def test_every_listed_difference_is_still_one(found: set[str]) -> None:
    assert unseen(documented(), found) == []
