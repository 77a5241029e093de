"""The rig of the tests that need a web process: its relay, membership and resume, in parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.migrated import migrated
from tests.support.servers.redis_server import RedisServer
from tests.support.web_stand import WebStand

MakeStand = Callable[..., WebStand]


@pytest.fixture
def make_stand(tmp_path: Path, redis_server: RedisServer) -> Iterator[MakeStand]:
    """Makes web stands on one database and one emptied Redis, unless given another one's URL.

    Other arguments are those of WebStand. They are stopped after the test.
    """
    redis_server.flush()
    database_url = f"sqlite:///{tmp_path / 'test.db'}"
    migrated(database_url)
    made: list[WebStand] = []

    def make(redis_url: str = "", **options: Any) -> WebStand:
        made.append(WebStand(redis_url or redis_server.url, database_url, **options))
        return made[-1]

    yield make
    for stand in made:
        stand.stop()


@pytest.fixture
def stand(make_stand: MakeStand) -> WebStand:
    """A web stand with the usual options; its gap check runs only when a test asks for it."""
    return make_stand()
