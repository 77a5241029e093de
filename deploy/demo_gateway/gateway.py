"""The objects of one demo gateway, and the key under which handlers find them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from deploy.demo_gateway.faults import Faults
from deploy.demo_gateway.idempotency import IdempotencyKeys
from deploy.demo_gateway.journal import Journal
from deploy.demo_gateway.record import Record
from deploy.demo_gateway.runs.runs import Runs
from deploy.demo_gateway.runs.script_player import play
from deploy.demo_gateway.sessions import SessionStore


@dataclass(frozen=True)
class Options:
    """How the gateway behaves as a whole. Times are seconds."""

    api_key: str = ""
    max_runs: int = 10
    keepalive: float = 30.0
    session_delay: float = 0.15
    replay: bool = False
    idempotent: bool = False
    no_sessions: bool = False
    model: str = "demo-model"
    journal: Path | None = None


@dataclass(frozen=True)
class Gateway:
    """Everything that a request may need."""

    options: Options
    sessions: SessionStore
    record: Record
    faults: Faults
    runs: Runs
    keys: IdempotencyKeys


GATEWAY: web.AppKey[Gateway] = web.AppKey("gateway", Gateway)


def build_gateway(options: Options) -> Gateway:
    """Build the objects; starts nothing."""
    sessions, record = SessionStore(), Record(Journal(options.journal))
    runs = Runs(
        sessions,
        record,
        play,
        max_runs=options.max_runs,
        session_delay=options.session_delay,
        replay=options.replay,
    )
    return Gateway(options, sessions, record, Faults(), runs, IdempotencyKeys())
