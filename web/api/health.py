"""Whether this process lives, and whether it can serve."""

import logging
import time
from collections.abc import Callable
from importlib import metadata
from typing import Any

from flask import Flask, jsonify
from flask.typing import ResponseReturnValue
from sqlalchemy import text

from shared.db.database import Database
from shared.errors import HoldfastError
from shared.event_log.clients import Commands, RedisError
from shared.protocol.events import NAMESPACE
from web.relay.relay import Relay

log = logging.getLogger(__name__)

REMEMBER = 0.5  # seconds: many askers cost one question


class Health:
    """Asks database, Redis and relay; each answers within the timeouts of its client."""

    def __init__(self, db: Database, commands: Commands, relay: Relay) -> None:
        self._db = db
        self._commands = commands
        self._relay = relay
        self._asked_at = 0.0
        self._answer: dict[str, bool] = {}

    def parts(self) -> dict[str, bool]:
        """Part -> whether it works."""
        if time.monotonic() - self._asked_at > REMEMBER:
            self._answer = {
                "database": _works(lambda: self._db.read(lambda s: s.execute(text("SELECT 1")))),
                "redis": _works(self._commands.ping),
                "relay": self._relay.subscriber.hears(),
            }
            self._asked_at = time.monotonic()
        return self._answer


def _works(ask: Callable[[], Any]) -> bool:
    try:
        ask()
    except (HoldfastError, RedisError, OSError) as error:
        log.info("health.part_failed error=%s", type(error).__name__)
        return False
    return True


def _version() -> str:
    try:
        return metadata.version("holdfast")
    except metadata.PackageNotFoundError:
        return "unknown"  # run from a folder into which it was not installed


def add_routes(app: Flask, health: Health) -> None:
    """`/`, `/healthz` (the process answers) and `/readyz` (it can serve; 503 says what cannot)."""

    def index() -> ResponseReturnValue:
        return jsonify(service="holdfast", version=_version(), namespace=NAMESPACE)

    def healthz() -> ResponseReturnValue:
        return jsonify(status="ok")

    def readyz() -> ResponseReturnValue:
        parts = health.parts()
        ready = all(parts.values())
        shown = {part: "ok" if works else "failed" for part, works in parts.items()}
        return jsonify(status="ok" if ready else "unavailable", **shown), 200 if ready else 503

    app.add_url_rule("/", view_func=index)
    app.add_url_rule("/healthz", view_func=healthz)
    app.add_url_rule("/readyz", view_func=readyz)
