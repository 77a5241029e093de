"""One trace of a run, from the socket to its end, over a takeover; its line in the log, its
timeline and its row in Flower have the same times."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator

import pytest

from shared.log_context import trace_of
from shared.task_queue import TAKE_OVER
from tests.acceptance.answers import talk
from tests.acceptance.conftest import Clients
from tests.support.http_api import ApiClient
from tests.support.servers.collector import Collector
from tests.support.servers.flower import Flower
from tests.support.servers.processes import wait_until
from tests.support.servers.stack import TOKEN, Stack

A_MESSAGE = 2.0  # seconds on a busy machine: Celery's own steps around a turn


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    """Where the traces go."""
    made = Collector()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def traced(collector: Collector) -> Iterator[Stack]:
    """Two workers, one of which is to die."""
    made = Stack(
        workers=2,
        LEASE_SECONDS=3,
        LOG_FORMAT="json",
        TRACES_URL=collector.url,
        OTEL_BSP_SCHEDULE_DELAY=200,
    )
    try:
        yield made.start()
    finally:
        made.stop()


def test_a_run_that_was_taken_over_is_one_trace_from_the_socket_to_its_end(
    traced: Stack, collector: Collector, connect: Clients
) -> None:
    flower = Flower(traced)
    client = connect(traced)
    run_id = client.run(talk(tokens=80, rate=10, tools=[{"after": 5, "name": "clock"}]), "traced")
    client.wait_for("tool.completed", lambda event: event["run_id"] == run_id)
    first_row = flower.run(run_id, "STARTED")  # task events are sent twice a second
    dead = traced.owner_of(run_id)
    dead.signal(signal.SIGKILL)
    client.end(run_id, within=60)
    trace_id = trace_of(run_id)
    names = {"accept", "invoke_agent", "queue", "worker", "chat", "execute_tool clock"}
    wait_until(
        lambda: {span.name for span in collector.of(trace_id)} >= names,
        within=20,
        what=f"the whole trace: {collector.of(trace_id)}",
    )
    spans = collector.of(trace_id)
    (root,) = [span for span in spans if span.name == "invoke_agent"]
    assert {span.parent_id for span in spans if span is not root} == {root.span_id}
    assert {span.role for span in spans} == {"web", "worker"}
    owners = [span for span in spans if span.name == "worker"]
    assert [span.attributes["holdfast.taken_over"] for span in owners] == ["False", "True"]
    assert root.attributes["holdfast.state"] == "completed"
    assert "t1 " not in repr(spans)

    lines = [json.loads(line) for one in traced.workers for line in one.log().splitlines()]
    (ended,) = [line for line in lines if line["event"] == "run.ended"]
    assert (ended["run_id"], ended["trace_id"]) == (run_id, trace_id)
    assert (ended["session_id"], ended["owner"], ended["takeovers"]) == ("traced", "default", 1)
    assert abs(ended["seconds"] - (root.ended - root.began)) < 0.01

    timeline = ApiClient(traced.url, TOKEN).get(f"/api/runs/{run_id}/timeline").json()["steps"]
    first, *_, last = timeline
    assert (first["step"], last["step"]) == ("queued", "ended")
    assert abs(first["at"] - root.began) < 0.01
    assert abs(last["at"] - root.ended) < 0.01
    taken_over = [step["at"] for step in timeline if step["step"] == "claimed"][-1]
    assert abs(taken_over - owners[1].began) < 0.01
    row = flower.run(run_id, "SUCCESS", TAKE_OVER)
    assert first_row["worker"] != row["worker"], "of the one that died"
    assert abs(row["started"] - taken_over) < A_MESSAGE
    assert abs(row["succeeded"] - root.ended) < A_MESSAGE
