"""A web process without its sockets: a relay that records, and runs whose logs tests write."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import update

from shared.db.clock import DbNow
from shared.db.database import Database
from shared.db.models import MessageRow, RunRow
from shared.db.runs import accept as intake
from shared.db.runs.claim import Claim, claim
from shared.db.runs.terminal import Entries, fix_end
from shared.event_log.clients import Commands, command_client, pubsub_client
from shared.event_log.keys import RunKeys
from shared.event_log.store import Batch, EventLog
from shared.protocol.events import decode, encode
from shared.protocol.run_states import Move
from shared.service import Service
from tests.support.servers.processes import wait_until
from web.recovery.journal import RecoveryJournal
from web.recovery.offset_emitter import OffsetEmitter
from web.recovery.store import RecoveryStore
from web.relay.feed_address import FeedAddress
from web.relay.log_reader import LogReader
from web.relay.relay import Relay
from web.resume.membership import Membership
from web.resume.resume import Resume
from web.resume.resync import Resync
from web.resume.session_reader import SessionReader
from web.sockets.connections import Connection
from web.sockets.emitter_protocol import Deliver
from web.sockets.reconnect_backoff import ReconnectBackoff

OWNER = "default"


@dataclass
class RecordingEmitter:
    """Records what each socket was sent."""

    sent: dict[str, list[tuple[str, dict[str, Any]]]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def deliver(self, sids: Collection[str], entry: bytes) -> None:
        with self.lock:
            for sid in list(sids):
                self.sent.setdefault(sid, []).append(decode(entry))

    def to(self, sid: str) -> list[tuple[str, dict[str, Any]]]:
        return self.sent.get(sid, [])

    def seqs(self, sid: str) -> list[int]:
        return [payload["seq"] for name, payload in self.to(sid) if name == "message.delta"]

    def text(self, sid: str) -> str:
        """What a client that ignores seq shows of the newest answer."""
        shown = ""
        for name, payload in list(self.to(sid)):
            if name in {"resumed", "session.resync"}:
                answers = [m for m in payload["messages"] if m["role"] == "assistant"]
                shown = answers[-1]["content"] if answers else ""
            elif name == "message.delta":
                shown += payload["delta"]
        return shown


class LiveRun:
    """The owner of one run's log."""

    def __init__(
        self, log: EventLog, keys: RunKeys, *, fence: int = 1, epoch: int = 1, session_id: str = "s"
    ) -> None:
        self.log = log
        self.keys = keys
        self.fence = fence
        self.epoch = epoch
        self.head = 0
        self._session_id = session_id
        self.install()

    def install(self) -> None:
        self.log.install(self.keys, fence=self.fence, epoch=self.epoch, min_head=0, create=True)

    def say(self, *deltas: str) -> None:
        """Append deltas as one batch."""
        entries = tuple(
            self._entry("message.delta", self.head + 1 + i, delta=delta)
            for i, delta in enumerate(deltas)
        )
        self.log.append([Batch(self.keys, self.fence, self.head, entries)])
        self.head += len(entries)

    def append(self, name: str, **fields: Any) -> None:
        """Append an event."""
        entry = self._entry(name, self.head + 1, **fields)
        self.log.append([Batch(self.keys, self.fence, self.head, (entry,))])
        self.head += 1

    def end(self, *, terminal_seq: int | None = None) -> None:
        """Announce the end."""
        last = terminal_seq or self.head + 2
        entries = [
            self._entry("usage.updated", last - 1, inputTokens=1, outputTokens=1),
            self._entry("run.completed", last, status="completed", finish_reason="stop"),
        ]
        self.log.announce(
            self.keys, fence=self.fence, epoch=self.epoch, terminal_seq=last, entries=entries
        )
        self.head = last

    def _entry(self, name: str, seq: int, **fields: Any) -> bytes:
        common = {
            "event": name,
            "run_id": self.keys.run_id,
            "session_id": self._session_id,
            "epoch": self.epoch,
            "seq": seq,
        }
        return encode(name, {**fields, **common})


@dataclass
class Joining:
    """Relay, membership and resume of one process, built as `web.app` does."""

    sessions: SessionReader
    relay: Relay
    membership: Membership
    resume: Resume
    run_emitter: OffsetEmitter


def joining(
    db: Database,
    event_log: EventLog,
    commands: Commands,
    subscriber: Commands,
    emitter: Deliver,
    store: RecoveryStore,
    *,
    burst: int = 1000,
    **options: float,
) -> Joining:
    """`options`: of the relay."""
    run_emitter = OffsetEmitter(emitter, store.trackers)
    sessions = SessionReader(db, event_log)
    resync = Resync(sessions, LogReader(event_log), run_emitter)
    relay = Relay(
        event_log,
        [commands],
        [subscriber],
        run_emitter,
        resync=resync.send,
        announce_again=sessions.announce_again,
        burst=burst,
        **options,
    )
    membership = Membership(relay, sessions, RecoveryJournal(store))
    resume = Resume(
        sessions=sessions,
        relay=relay,
        membership=membership,
        emitter=run_emitter,
        backoff=ReconnectBackoff(),
        burst=burst,
    )
    return Joining(sessions, relay, membership, resume, run_emitter)


def start_all(services: Iterable[Service]) -> None:
    for service in services:
        service.start()


def stop_all(services: Sequence[Service]) -> None:
    for service in reversed(services):
        service.stop()


class WebStand:
    """Relay, membership and resume on a real Redis and a real database; sockets are recordings."""

    def __init__(
        self,
        redis_url: str,
        database_url: str,
        *,
        sweep_every: float = 60.0,
        linger: float = 0.3,
        burst: int = 1000,
        subscriber_url: str = "",
        installation: str = "hf",
    ) -> None:
        """`subscriber_url`: where the relay listens, if elsewhere than at `redis_url`."""
        self.commands = command_client(redis_url)
        self.log = EventLog([self.commands], timedelta(seconds=60), installation)
        self.db = Database(database_url)
        self.emitter = RecordingEmitter()
        self.subscriber = pubsub_client(subscriber_url or redis_url)
        built = joining(
            self.db,
            self.log,
            self.commands,
            self.subscriber,
            self.emitter,
            RecoveryStore(self.commands),
            burst=burst,
            linger=linger,
            sweep_every=sweep_every,
        )
        self.sessions, self.relay = built.sessions, built.relay
        self.membership, self.resume = built.membership, built.resume
        start_all(self.relay.services)
        wait_until(self.relay.subscriber.receives, what="the relay receives")

    def stop(self) -> None:
        stop_all(self.relay.services)
        self.db.close()
        self.commands.close()
        self.subscriber.close()

    def channel(self, keys: RunKeys) -> str:
        """The channel of the run's session."""
        return self.log.channels[0].session(keys.tag)

    def socket(self, owner: str = OWNER) -> Connection:
        """A new socket; its sid is its name among the recordings."""
        sid = uuid.uuid4().hex[:8]
        return Connection(sid, sid, owner, "default", receives_own_aborts=False)

    def accept(self, session_id: str | None, text: str = "hi", owner: str = OWNER) -> str:
        """A queued run in the database."""
        run_id = f"run_{uuid.uuid4().hex}"
        new = intake.NewRun(
            run_id, owner, session_id, "default", text, text, 1, None, None, None, "hash"
        )
        self.db.write(
            lambda tx: intake.accept(tx, new, queue_cap=20, check_profile=lambda name: name)
        )
        return run_id

    def claim(self, run_id: str) -> Claim:
        """The run, claimed for a minute."""
        got = self.db.write(lambda tx: claim(tx, run_id, "worker", 60.0))
        assert isinstance(got, Claim), got
        return got

    def begin(self, session_id: str, text: str = "hi", owner: str = OWNER) -> LiveRun:
        """A run that is accepted, claimed and has its log."""
        claimed = self.claim(self.accept(session_id, text, owner))
        return LiveRun(
            self.log, claimed.keys, fence=claimed.fence, epoch=claimed.epoch, session_id=session_id
        )

    def finish(self, run: LiveRun, session_id: str, text: str, *, announce: bool = True) -> None:
        """Store answer and end, then announce them."""

        def work(tx: Any) -> None:
            row = tx.get(RunRow, run.keys.run_id)
            tx.add(
                MessageRow(
                    owner=row.owner,
                    session_id=session_id,
                    run_id=row.id,
                    turn_no=row.turn_no,
                    idx=1,
                    role="assistant",
                    content=text,
                    timestamp=time.time(),
                    finish_reason="stop",
                    token_count=2,
                )
            )
            entries: Entries = [
                ("usage.updated", {"inputTokens": 3, "outputTokens": 2}),
                ("run.completed", {"status": "completed", "finish_reason": "stop"}),
            ]
            fix_end(tx, row, Move.COMPLETE, entries, last_seq=run.head)

        self.db.write(work)
        if announce:
            run.end()
            self.db.write(
                lambda tx: tx.execute(
                    update(RunRow).where(RunRow.id == run.keys.run_id).values(announced_at=DbNow())
                )
            )

    def wait_for_text(self, socket: Connection, text: str) -> None:
        wait_until(
            lambda: self.emitter.text(socket.sid) == text,
            what=f"{text!r}, last {self.emitter.to(socket.sid)[-3:]}",
        )

    def wait_for_seqs(self, socket: Connection, count: int) -> None:
        """Wait for the delta with the last seq; then all must be there, once, in order."""
        wait_until(lambda: len(self.emitter.seqs(socket.sid)) >= count, what=f"{count} deltas")
        assert self.emitter.seqs(socket.sid) == list(range(1, count + 1))


def without_notification(stand: WebStand, run: LiveRun, *deltas: str) -> None:
    """Append to the log, without a notification: what is there after one was lost."""
    entries = tuple(
        run._entry("message.delta", run.head + 1 + i, delta=d) for i, d in enumerate(deltas)
    )
    for i, entry in enumerate(entries):
        stand.commands.xadd(run.keys.log, {"d": entry, "f": run.fence}, id=f"{run.head + 1 + i}-0")
    run.head += len(entries)
    stand.commands.hset(run.keys.meta, "head", run.head)


def address(session_id: str = "s", owner: str = OWNER) -> FeedAddress:
    return FeedAddress(owner, session_id)
