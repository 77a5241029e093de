"""Every operation of the description, with inputs that fit it and others, alone and in sequences:
no 500, no undeclared answer, every answer as it is described."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.acceptance.schema.report import Report
from tests.support.gateways.demo_gateway import scripted
from tests.support.http_api import ApiClient
from tests.support.servers.postgres import PostgresServer
from tests.support.servers.stack import TOKEN, Stack

CONFIG = Path(__file__).with_name("schemathesis.toml")
LONG = os.environ.get("SCHEMA_EXAMPLES")
EXAMPLES = LONG or "4"  # of each operation
SEED = os.environ.get("SCHEMA_SEED") or "1"
# `coverage` sends the edges of every schema, the same each time: once is enough for a short run, on
# the database that takes fewer values.
PHASES = {
    "sqlite": "examples,coverage,fuzzing,stateful" if LONG else "examples,fuzzing,stateful",
    "postgresql": "examples,coverage,fuzzing,stateful",
}
NO_LIMITS: dict[str, Any] = {
    "REQUESTS_PER_SECOND": 10_000,
    "OWNER_REQUESTS_PER_SECOND": 10_000,
    "TOKEN_GUESSES": 1_000_000,
    "QUEUE_CAP": 1000,
    "SOCKETS_PER_OWNER": 1000,
}


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def site(request: pytest.FixtureRequest, database: str) -> Iterator[Stack]:
    """All processes, with the demo gateway and an administrator's token."""
    with ExitStack() as left:
        url = ""
        if database == "postgresql":
            postgres: PostgresServer = request.getfixturevalue("postgres")
            name = f"test_{uuid.uuid4().hex}"
            url = postgres.create_database(name)
            left.callback(postgres.drop_database, name)
        stack = Stack(database_url=url, **NO_LIMITS)
        left.callback(stack.stop)
        stack.start()
        fill(ApiClient(stack.url, TOKEN))
        yield stack


def fill(client: ApiClient) -> None:
    """Two sessions with turns, a response, and at last a run that has failed."""
    for session_id in ("s1", "s2"):
        list(client.events(client.start("Say hello.", session_id)))
    client.post("/v1/responses", {"input": "Say hello."})
    list(client.events(client.start(scripted(end="failed"))))


@pytest.mark.timeout(3600)
def test_every_answer_is_as_it_is_described(site: Stack, database: str, tmp_path: Path) -> None:
    report = Report(tmp_path / "events.ndjson")
    run = subprocess.run(
        [
            Path(sys.executable).with_name("schemathesis"),
            *("--config-file", CONFIG, "run", f"{site.url}/openapi.json"),
            *("--header", f"Authorization: Bearer {TOKEN}"),
            *("--phases", PHASES[database], "--max-examples", EXAMPLES, "--seed", SEED),
            *("--report", "ndjson", "--report-ndjson-path", report.path),
            *("--generation-database", "none", "--no-color", "--warnings", "off"),
        ],
        cwd=tmp_path,
        capture_output=True,
        check=False,
        text=True,
    )
    assert run.returncode == 0, run.stdout[-20_000:] + run.stderr  # says the seed, too
    assert site.accidents() == []
    described = requests.get(f"{site.url}/openapi.json", timeout=20).json()
    if "coverage" in PHASES[database]:
        assert report.without_success(described) == []
