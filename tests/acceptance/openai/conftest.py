"""A stack on each database whose logs are folded early, and a client of OpenAI's package."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from openai import OpenAI

from tests.support.clients.openai_reader import openai_client
from tests.support.servers.postgres import PostgresServer
from tests.support.servers.stack import Stack


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def folding(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """Two web processes on one port; a log is folded after each KB."""
    url = ""
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.create_database("openai")
    made = Stack(database_url=url, CHECKPOINT_BYTES=1024, STOP_TIMEOUT=3)
    try:
        yield made.start()
        assert made.accidents() == [], "an error that nobody planned"
    finally:
        made.stop()


@pytest.fixture
def client(folding: Stack) -> Iterator[OpenAI]:
    with openai_client(folding) as made:
        yield made
