"""`/readyz` says which dependency and which loop of the process has failed."""

import os
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask

from shared.errors import DatabaseUnavailable
from shared.service import Service
from tests.support.servers.processes import wait_until
from web.api.health import Health, add_routes


def crash() -> None:
    raise ValueError("a bug")


def ready(
    *services: Service, database: Callable[..., object] = lambda work: None, echo: bool = True
) -> tuple[int, dict[str, Any]]:
    app = Flask("test")
    health = Health(
        SimpleNamespace(read=database),  # type: ignore[arg-type]
        SimpleNamespace(ping=lambda: True),  # type: ignore[arg-type]
        SimpleNamespace(receives=lambda: echo),  # type: ignore[arg-type]
        services,
    )
    add_routes(app, health)
    answer = app.test_client().get("/readyz")
    return answer.status_code, answer.get_json()


def test_all_that_works_is_ok() -> None:
    status, shown = ready(Service("loop", lambda: None))
    assert status == 200
    assert shown == {
        "status": "ok",
        "database": "ok",
        "redis": "ok",
        "relay": "ok",
        "services": {"loop": "ok"},
    }


def test_a_dependency_that_does_not_answer_makes_it_unavailable() -> None:
    def unavailable(_: object) -> None:
        raise DatabaseUnavailable

    status, shown = ready(database=unavailable, echo=False)
    assert status == 503
    assert (shown["status"], shown["database"], shown["relay"]) == (
        "unavailable",
        "failed",
        "failed",
    )


def test_a_loop_that_crashed_makes_it_unavailable_and_is_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    crashed, running = Service("crashed", crash), Service("running", lambda: None)
    crashed.start()
    wait_until(lambda: not crashed.healthy, what="the crash")
    status, shown = ready(crashed, running)
    assert status == 503
    assert shown["services"] == {"crashed": "failed", "running": "ok"}


def test_an_answer_names_its_process() -> None:
    app = Flask("test")
    add_routes(app, SimpleNamespace())  # type: ignore[arg-type]
    answer = app.test_client().get("/healthz")
    assert (answer.status_code, answer.get_json()) == (200, {"status": "ok", "pid": os.getpid()})
