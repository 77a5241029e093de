"""Whether this process answers, and whether it can serve."""

import logging
import os
import time
from collections.abc import Callable, Sequence
from importlib import metadata
from typing import Any

from flask import Flask, jsonify
from flask.typing import ResponseReturnValue
from sqlalchemy import text

from shared.db.database import Database
from shared.errors import HoldfastError
from shared.event_log.clients import Commands, RedisError
from shared.service import Service
from web.relay.sharded_subscriber import ShardedSubscriber

log = logging.getLogger(__name__)

CACHE_FOR = 0.5  # seconds: many probes cost one round of questions
STALE_FOR = 3.0  # seconds for which an answer counts while the next round is being asked


class Health:
    """Asks database, Redis, subscriber and services, each within the timeouts of its client."""

    def __init__(
        self,
        db: Database,
        commands: Commands,
        subscriber: ShardedSubscriber,
        services: Sequence[Service],
    ) -> None:
        self._db = db
        self._commands = commands
        self._subscriber = subscriber
        self._services = services
        self._asked_at = 0.0
        self._asking = False
        self._answer: dict[str, bool] = {}

    def dependencies(self) -> dict[str, bool]:
        """Name -> whether it works. While one asks, others get the answer before."""
        age = time.monotonic() - self._asked_at
        if self._asking and age < STALE_FOR:
            return self._answer
        if age > CACHE_FOR:
            self._asking = True
            try:
                self._answer = self._ask()
                self._asked_at = time.monotonic()
            finally:
                self._asking = False
        return self._answer

    def _ask(self) -> dict[str, bool]:
        return {
            "database": _works(lambda: self._db.read(lambda s: s.execute(text("SELECT 1")))),
            "redis": _works(self._commands.ping),
            "relay": self._subscriber.receives(),
        }

    def services(self) -> dict[str, bool]:
        """Name of each loop -> whether it still runs."""
        return {service.name: service.healthy for service in self._services}


def _works(ask: Callable[[], Any]) -> bool:
    try:
        ask()
    except (HoldfastError, RedisError, OSError) as error:
        log.info("health.dependency_failed error=%s", type(error).__name__)
        return False
    return True


def words(works: dict[str, bool]) -> dict[str, str]:
    """The state of each part: `ok` or `failed`."""
    return {name: "ok" if it_works else "failed" for name, it_works in works.items()}


def version() -> str:
    try:
        return metadata.version("holdfast")
    except metadata.PackageNotFoundError:
        return "unknown"  # run from a folder into which it was not installed


def add_routes(app: Flask, health: Health) -> None:
    """`/healthz` (the process answers) and `/readyz` (it can serve; 503 says what cannot)."""

    def healthz() -> ResponseReturnValue:
        return jsonify(status="ok", pid=os.getpid())  # for the supervisor of several on one port

    def readyz() -> ResponseReturnValue:
        dependencies, services = health.dependencies(), health.services()
        ready = all(dependencies.values()) and all(services.values())
        status = "ok" if ready else "unavailable"
        answer = jsonify(status=status, **words(dependencies), services=words(services))
        return answer, 200 if ready else 503

    def taken() -> ResponseReturnValue:
        return "", 404  # sockets are served in front of Flask

    # Each connect and disconnect is a request to Flask, which would keep the error that there is no
    # such route, and with it all frames of the connect, until the garbage collector finds them.
    for websocket in (True, False):
        app.add_url_rule("/socket.io/", f"socket-{websocket}", taken, websocket=websocket)
    app.add_url_rule("/healthz", view_func=healthz)
    app.add_url_rule("/readyz", view_func=readyz)
