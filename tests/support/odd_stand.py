"""A worker's services at an `OddGateway`, with clocks of seconds; runs turns and looks at them."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest
from sqlalchemy import select, update

from shared.db.models import MessageRow, OrphanRow, RunRow
from shared.db.runs.attempts import note_attempt, record_intent
from shared.db.runs.claim import Claim, claim
from shared.db.runs.stop import ask_stop
from shared.event_log.keys import RunKeys, feed_tag
from shared.protocol.events import decode
from shared.protocol.run_states import ENDED
from shared.protocol.state_events import StateEvents
from shared.protocol.transcript import Transcript
from shared.run_end import announce
from shared.settings import Settings
from tests.support.gateways.odd_gateway import OddGateway
from tests.support.migrated import migrated
from tests.support.rows import OWNER, add_run, add_session, run_row
from tests.support.servers.redis_server import RedisServer
from worker.app import build
from worker.gateway import client, responses
from worker.maintenance.gateway_orphans import check_orphaned_runs
from worker.maintenance.gateway_session_cleanup import delete_due, sweep
from worker.run import poll_status, read_stream, run_turn, submit, uncertain_post
from worker.transcript import collect_transcript

GOOD = ("text", "openai", "anthropic")  # profiles, by the format of their history
SETTINGS = {
    "LEASE_SECONDS": 30,
    "RUN_DEADLINE": 3,
    "STOP_TIMEOUT": 0.5,
    "START_DEADLINE": 1,
    "POST_TIMEOUT": 2,
    "POST_MARGIN": 0.1,
    "WATCHDOG_SECONDS": 0.3,
}
CLOCKS: tuple[tuple[Any, str, float], ...] = (
    (client, "ANSWER_TIMEOUT", 2.0),
    (client, "TRANSCRIPT_TIMEOUT", 2.0),
    (responses, "MOST_RETRY", 0.3),
    (submit, "RETRY_FIRST", 0.1),
    (submit, "RETRY_MOST", 0.3),
    (poll_status, "POLL_EVERY", 0.1),
    (poll_status, "GATEWAY_AWAY", 1.5),
    (poll_status, "LAST_LOOK", 0.2),
    (read_stream, "REOPEN", 0.02),
    (uncertain_post, "LOOK_EVERY", 0.1),
    (collect_transcript, "WAIT", 0.1),
    (collect_transcript, "PAUSE", 0.05),
)
WITHIN = 60.0  # seconds for a run on a busy machine; its own clocks are seconds


class Tracebacks(logging.Handler):
    """Collects records that no gateway may cause: tracebacks, and errors."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        expected = record.getMessage().startswith("run.double_post")
        if record.exc_info or (record.levelno >= logging.ERROR and not expected):
            trace = logging.Formatter().formatException(record.exc_info) if record.exc_info else ""
            self.found.append(f"{record.getMessage()}\n{trace[-2000:]}")


@dataclass(frozen=True)
class Seen:
    """A run that has ended: what its log showed, and what is stored of it."""

    run: RunRow
    names: list[str]
    shown: str
    stored: str
    took: float


class OddStand:
    """Start with the constructor; end with `stop`."""

    def __init__(
        self, folder: Path, database_url: str, redis: RedisServer, patch: pytest.MonkeyPatch
    ) -> None:
        for module, name, seconds in CLOCKS:
            patch.setattr(module, name, seconds)
        migrated(database_url)
        self.gateway = OddGateway()
        profiles = folder / "profiles.toml"
        tables = [f'[profiles.odd]\nurl = "{self.gateway.url}"\n']
        good = f'url = "{self.gateway.good_url}"\n'
        tables += [f'[profiles.{name}]\n{good}history_format = "{name}"\n' for name in GOOD]
        profiles.write_text("".join(f"{table}context_length = 200000\n" for table in tables))
        environment = {
            "HOLDFAST_HOME": str(folder),
            "HERMES_HOME": str(folder / "no-hermes"),
            "REDIS_URL": redis.url,
            "DATABASE_URL": database_url,
            "PROFILES_FILE": str(profiles),
            "INSTALLATION": f"o{time.time_ns() % 10**9}",
            **{name: str(value) for name, value in SETTINGS.items()},
        }
        self.services = build(Settings.load(environment))
        self.services.publisher.start()
        self.services.leases.start()
        self.log = Tracebacks()
        logging.getLogger().addHandler(self.log)

    def stop(self) -> None:
        """End the threads."""
        logging.getLogger().removeHandler(self.log)
        self.services.publisher.stop()
        self.services.leases.stop()
        self.services.gateways.close()
        self.services.db.close()
        self.gateway.stop()

    # -- runs ------------------------------------------------------------------------------------

    def odd_turn(self, seed: int) -> Seen:
        """The turn of this seed, at times stopped, or taken over from a dead owner."""
        random = Random(seed)
        session = f"s{seed}"
        add_session(self.services.db, session)
        run_id = self._queued(session, seed, "odd")
        if random.random() < 0.15:
            self._die(run_id, seed)
        stopping = random.random() * 0.4 if random.random() < 0.15 else None
        return self._to_the_end(run_id, session, stopping)

    def good_turn(self, seed: int, session: str, profile: str, queue_no: int = 2) -> Seen:
        """The turn of this seed at the gateway without fault."""
        return self._to_the_end(self._queued(session, seed, profile, queue_no), session, None)

    def _queued(self, session: str, seed: int, profile: str, queue_no: int = 1) -> str:
        run_id = add_run(self.services.db, session, text=f"seed {seed}", queue_no=queue_no)
        change = update(RunRow).where(RunRow.id == run_id).values(profile=profile)
        self.services.db.write(lambda tx: tx.execute(change))
        return run_id

    def _die(self, run_id: str, seed: int) -> None:
        """The gateway has the run, and its owner has gone."""
        db, eph = self.services.db, f"eph_{seed}"
        gateway_run = self.gateway.add(seed, good=False, eph=eph).id
        owner = db.write(lambda tx: claim(tx, run_id, "dead", -1.0))
        assert isinstance(owner, Claim)
        db.write(lambda tx: record_intent(tx, owner, eph, None))
        db.write(lambda tx: note_attempt(tx, owner, eph, gateway_run_id=gateway_run))

    def _to_the_end(self, run_id: str, session: str, stopping: float | None) -> Seen:
        db, began = self.services.db, time.monotonic()
        stopper = threading.Timer(stopping or 0, self._ask_stop, (run_id, session))
        if stopping is not None:
            stopper.start()
        while (row := run_row(db, run_id)).state not in ENDED:
            assert time.monotonic() - began < WITHIN, f"{session}: still {row.state}"
            run_turn.run_turn(self.services, run_id)
            time.sleep(0.02)
        took = time.monotonic() - began
        stopper.cancel()
        return self._seen(row, session, took)

    def _ask_stop(self, run_id: str, session: str) -> None:
        stopped = self.services.db.write(lambda tx: ask_stop(tx, OWNER, session, run_id))
        if stopped is not None and stopped.ended:
            announce(self.services.db, self.services.event_log, run_id)
        if (turn := self.services.turns.get(run_id)) is not None:
            turn.request_stop()

    # -- what is left ----------------------------------------------------------------------------

    def _seen(self, row: RunRow, session: str, took: float) -> Seen:
        view = self.services.event_log.read(
            [(RunKeys(feed_tag(OWNER, session, row.id), row.id), 0)]
        )[0]
        entries = [decode(entry) for entry in view.entries] if view is not None else []
        fold, states = Transcript(row.id, session), StateEvents()
        for _, payload in entries:
            fold.apply(payload)
            states.apply(payload)
        orjson.dumps([fold.messages(), states.events()])
        shown = "".join(p["delta"] for name, p in entries if name == "message.delta")
        query = select(MessageRow).where(MessageRow.run_id == row.id, MessageRow.idx > 0)
        rows = self.services.db.read(lambda tx: list(tx.scalars(query.order_by(MessageRow.idx))))
        stored = "".join(m.content for m in rows if m.role == "assistant")
        return Seen(row, [name for name, _ in entries], shown, stored, took)

    def maintain(self) -> None:
        """The jobs of the maintenance worker, at once and three times."""
        for _ in range(3):
            due = update(OrphanRow).values(next_at=0.0)
            self.services.db.write(lambda tx, due=due: tx.execute(due))  # type: ignore[misc]
            check_orphaned_runs(self.services)
            delete_due(self.services)
            sweep(self.services)
