"""A worker's services in this process, a demo gateway, and sessions with many turns."""

from __future__ import annotations

import threading
import uuid
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from shared.db.database import Database
from shared.db.models import (
    CompressionRow,
    DeletionRow,
    MessageRow,
    RunRow,
    SessionRow,
    SnapshotRow,
)
from shared.event_log.keys import RunKeys, feed_tag
from shared.protocol.events import decode
from shared.settings import Settings
from tests.support.gateways.demo_gateway import DemoGateway, scripted
from tests.support.gateways.hermes import HermesGateway
from tests.support.migrated import migrated
from tests.support.rows import OWNER, add_run, add_session
from tests.support.servers.processes import wait_until
from tests.support.servers.redis_server import RedisServer
from tests.support.servers.stack import with_short_wait
from worker.app import build
from worker.run.run_turn import run_turn

Payload = dict[str, Any]
SESSION = "s"


class WorkerStand:
    """Start with the constructor, `run` turns, look at what they left; end with `stop`."""

    def __init__(
        self,
        folder: Path,
        database_url: str,
        redis: RedisServer,
        gateway: DemoGateway | HermesGateway,
        *,
        context_length: int,
        **settings: object,
    ) -> None:
        database_url = with_short_wait(database_url, settings.get("LEASE_SECONDS"))
        migrated(database_url)
        self._gateway = gateway
        self.installation = f"t{uuid.uuid4().hex[:8]}"
        profiles = folder / "profiles.toml"
        profiles.write_text(
            f'[profiles.default]\nurl = "{gateway.url}"\napi_key = "{gateway.key}"\n'
            f"context_length = {context_length}\n"
        )
        self.environment = {
            "HOLDFAST_HOME": str(folder),
            "HERMES_HOME": str(folder / "no-hermes"),
            "REDIS_URL": redis.url,
            "DATABASE_URL": database_url,
            "PROFILES_FILE": str(profiles),
            "INSTALLATION": self.installation,
            **{name: str(value) for name, value in settings.items()},
        }
        self.services = build(Settings.load(self.environment))
        self.db: Database = self.services.db
        self.services.publisher.start()
        self.services.leases.start()

    def stop(self) -> None:
        """End the threads; harmful faults of the demo gateway end, too."""
        if isinstance(self._gateway, DemoGateway):
            self._gateway.clear_faults()
        self.services.publisher.stop()
        self.services.leases.stop()
        self.services.gateways.close()
        self.db.close()

    @property
    def gateway(self) -> DemoGateway:
        """The demo gateway of this stand."""
        assert isinstance(self._gateway, DemoGateway), "this stand was given the real one"
        return self._gateway

    # --- before --------------------------------------------------------------------------------

    def conversation(self, turns: int, *, tokens: int | None = 100, tool_output: int = 0) -> None:
        """A session of that many ended turns, two messages each, three with `tool_output`
        (characters); each message is stored as having `tokens`."""
        add_session(self.db, SESSION)
        rows = [row for n in range(1, turns + 1) for row in _turn(n, tokens, tool_output)]

        def work(tx: Session) -> None:
            tx.execute(insert(MessageRow), rows)
            tx.execute(update(SessionRow).values(next_turn=turns + 1))

        self.db.write(work)

    def summaries(self, say: str = "", **fault: Any) -> None:
        """What the gateway does when it is asked for a summary, from now on."""
        self.gateway.clear_faults()
        script = {"say": say, "rate": 0, **fault.pop("script", {})}
        if "post_status" not in fault and "post_reset" not in fault:
            fault["script"] = script
        self.gateway.faults(session_prefix=f"compress_{self.installation}_", **fault)

    # --- turns ---------------------------------------------------------------------------------

    def queue(self, say: str = "fine", **columns: Any) -> str:
        """A waiting run whose answer is `say`."""
        return add_run(self.db, SESSION, text=scripted(say=say, rate=0), **columns)

    def run(self, say: str = "fine") -> str:
        """A whole turn; the run's id."""
        run_id = self.queue(say)
        run_turn(self.services, run_id)
        return run_id

    def begin(self, run_id: str) -> threading.Thread:
        """Start the turn in a thread, as a worker would."""
        thread = threading.Thread(target=run_turn, args=(self.services, run_id))
        thread.start()
        return thread

    # --- after ---------------------------------------------------------------------------------

    def events(self, run_id: str) -> list[tuple[str, Payload]]:
        """The log of a run."""
        keys = RunKeys(feed_tag(OWNER, SESSION, run_id), run_id)
        view = self.services.event_log.read([(keys, 0)])[0]
        assert view is not None
        return [decode(entry) for entry in view.entries]

    def names(self, run_id: str) -> list[str]:
        """The names of the run's events, in order."""
        return [name for name, _ in self.events(run_id)]

    def event(self, run_id: str, name: str) -> Payload:
        """The run's only event of that name."""
        (found,) = [payload for known, payload in self.events(run_id) if known == name]
        return found

    def state(self, run_id: str) -> str:
        """Where the run stands."""
        row = self.db.read(lambda tx: tx.get(RunRow, run_id))
        assert row is not None
        return row.state

    def audit(self) -> list[CompressionRow]:
        """The rows of all compressions, in order."""
        query = select(CompressionRow).order_by(CompressionRow.id)
        return self.db.read(lambda tx: list(tx.scalars(query)))

    def snapshot(self) -> SnapshotRow | None:
        """The session's snapshot."""
        return self.db.read(lambda tx: tx.scalar(select(SnapshotRow)))

    def deletions(self) -> dict[str, DeletionRow]:
        """Gateway sessions that are queued for deletion, by name."""
        rows = self.db.read(lambda tx: list(tx.scalars(select(DeletionRow))))
        return {row.session_id: row for row in rows}

    def posts(self, kind: str) -> list[Payload]:
        """What the gateway recorded of `eph` or `compress` runs of this stand, in order."""
        prefix = f"{kind}_{self.installation}_"
        runs = self.gateway.record()["runs"]
        return [run for run in runs if run["session_id"].startswith(prefix)]

    def history(self, number: int = -1) -> list[Payload]:
        """The conversation that was sent with a run; the latest by default."""
        sent = self.posts("eph")[number]["body"].get("conversation_history", [])
        return list(sent)

    def wait_for_post(self, kind: str, count: int = 1) -> Payload:
        """The latest recorded run of that kind, once there are so many."""
        wait_until(lambda: len(self.posts(kind)) >= count, what=f"a {kind} run was posted")
        return self.posts(kind)[-1]

    def wait_for_stop(self, gateway_run_id: str) -> None:
        """Until the gateway was asked to stop that run."""
        wait_until(
            lambda: any(s["run_id"] == gateway_run_id for s in self.gateway.record()["stops"]),
            what="the gateway was asked to stop",
        )


def _turn(number: int, tokens: int | None, tool_output: int) -> list[Payload]:
    call = {
        "id": f"call_{number}",
        "type": "function",
        "function": {"name": "read", "arguments": "{}"},
    }
    rows: list[Payload] = [{"role": "user", "content": f"question <{number}>"}]
    if tool_output:
        rows.append({"role": "assistant", "content": "", "tool_calls": [call]})
        result = {"role": "tool", "content": "o" * tool_output}
        rows.append({**result, "tool_call_id": call["id"], "tool_name": "read"})
    rows.append({"role": "assistant", "content": f"answer <{number}>"})
    common = {
        "owner": OWNER,
        "session_id": SESSION,
        "run_id": f"old_{number}",
        "turn_no": number,
        "timestamp": 1.0,
        "token_count": tokens,
    }
    blank = {"tool_calls": None, "tool_call_id": None, "tool_name": None}
    return [{**blank, **row, **common, "idx": index} for index, row in enumerate(rows)]
