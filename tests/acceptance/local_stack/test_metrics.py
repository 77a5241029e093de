"""What real processes show to Prometheus, and whether every query of the dashboard finds it."""

from __future__ import annotations

import re
import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from deploy.local.ports import LOOPBACK, free_port
from tests.acceptance.conftest import Clients
from tests.support.gateways.demo_gateway import scripted
from tests.support.prometheus import faults, scrape
from tests.support.servers.processes import RunningProcess, wait_until
from tests.support.servers.stack import Stack
from tests.unit.deploy.test_monitoring import queries

TOKEN = "a-token-for-prometheus"
# What needs a fault, a summary or a question of the agent; the unit tests know its names.
NOT_HERE = re.compile(
    r"compressions_total|approvals_open|runs_put_back|runs_ended_total\{state"
    r"|sum\(rate\(holdfast_client_faults"
)

Samples = dict[str, list[tuple[Mapping[str, str], float]]]


@pytest.fixture(scope="module")
def measured() -> Iterator[Stack]:
    """One process of each role, with metrics."""
    made = Stack(METRICS_PORT=free_port(), METRICS_TOKEN=TOKEN)
    try:
        yield made.start()
    finally:
        made.stop()


def scrape_process(process: RunningProcess) -> Samples:
    """What one process shows, on the port that its log names."""
    port = re.search(r"metrics\.listening .*port=(\d+)", process.log())
    assert port is not None, process.log()
    return scrape(f"http://{LOOPBACK}:{port[1]}", TOKEN)


def value(samples: Samples, name: str, **labels: str) -> float:
    """The sum of the series with these labels."""
    found = samples.get(name, [])
    return sum(n for has, n in found if labels.items() <= has.items())


def a_run(connect: Clients, stack: Stack, **script: Any) -> None:
    client = connect(stack)
    client.end(client.run(scripted(**script), uuid.uuid4().hex))


def test_the_processes_show_what_was_done_and_every_query_finds_its_series(
    measured: Stack, connect: Clients
) -> None:
    a_run(connect, measured, say="one two three", rate=0)
    worker = measured.workers[0]
    wait_until(
        lambda: value(scrape_process(worker), "holdfast_runs_ended_total", state="completed") == 1,
        what="the worker counted the end",
    )
    at_worker = scrape_process(worker)
    assert value(at_worker, "holdfast_run_wait_seconds_count", profile="default") == 1
    first = "gen_ai_client_operation_time_to_first_chunk_seconds"
    assert value(at_worker, f"{first}_count") == 1
    assert 0 < value(at_worker, f"{first}_sum") < 30
    assert value(at_worker, "gen_ai_client_token_usage_count", gen_ai_token_type="output") == 1
    assert value(at_worker, "holdfast_publisher_flush_seconds_count") > 0
    posts = {"http_request_method": "POST", "http_response_status_code": "202"}
    assert value(at_worker, "http_client_request_duration_seconds_count", **posts) == 1
    at_web = scrape_process(measured.web[0])
    assert value(at_web, "holdfast_sockets") == 1
    assert value(at_web, "holdfast_runs_accepted_total", profile="default") == 1
    wait_until(
        lambda: (
            value(scrape_process(measured.maintenance), "holdfast_job_last_ok", task="reap") == 1
        ),
        within=20,
        what="maintenance knows that the job succeeded",
    )
    at_maintenance = scrape_process(measured.maintenance)
    assert value(at_maintenance, "holdfast_runs_live", profile="default") == 0
    assert value(at_maintenance, "holdfast_system_read") == 2
    at_beat = scrape_process(measured.beat)
    assert value(at_beat, "holdfast_process_info", role="beat") == 1

    together: dict[str, list[Mapping[str, str]]] = defaultdict(list)
    for samples in (at_worker, at_web, at_maintenance, at_beat):
        for name, found in samples.items():
            together[name] += [labels for labels, _ in found]
    wrong = {q: faults(q, together) for q in queries() if not NOT_HERE.search(q)}
    assert not {query: found for query, found in wrong.items() if found}


def test_no_metric_says_anything_of_users_or_contents(measured: Stack, connect: Clients) -> None:
    a_run(connect, measured, say="a secret answer", rate=0)
    for process in (*measured.workers, *measured.web, measured.maintenance):
        shown = repr(scrape_process(process))
        assert "secret" not in shown
        assert not re.search(r"run_[0-9a-f]{8}|owner", shown)
