"""What a person may ask of runs: start, stop, take back. Joins, writes, rings, enqueues."""

import hashlib
import json
import logging
import time
import uuid

from sqlalchemy.exc import IntegrityError

from shared import runtime
from shared.conversation import tokens
from shared.db.database import Database
from shared.db.runs import accept as intake
from shared.db.runs import stop as stops
from shared.db.sessions import read as conversation
from shared.errors import DatabaseUnavailable, InvalidPayload, NotFound, RedisUnavailable
from shared.event_log.clients import Commands, RedisError, ResponseError
from shared.event_log.keys import CONTROL, WRITABLE
from shared.event_log.store import EventLog
from shared.hermes.profiles import Profiles
from shared.protocol.events import session_notification
from shared.run_end import announce
from shared.task_queue import TaskQueue
from web.payloads import AbortPayload, CancelPayload, RunPayload
from web.relay.feed import FeedAddress
from web.resume.membership import Membership
from web.sockets.connections import Connection

log = logging.getLogger(__name__)

COUNT_ELSEWHERE = 50_000  # characters; counting more would hold the hub for milliseconds
READ_BACK_TRIES = 3


class RunRequests:
    """All methods raise errors of `shared.errors`; their docstrings are what clients read."""

    def __init__(
        self,
        db: Database,
        event_log: EventLog,
        commands: Commands,
        queue: TaskQueue,
        profiles: Profiles,
        rooms: Membership,
        queue_cap: int,
    ) -> None:
        self._db = db
        self._log = event_log
        self._commands = commands
        self._queue = queue
        self._profiles = profiles
        self._rooms = rooms
        self._queue_cap = queue_cap

    def start(self, connection: Connection, payload: RunPayload) -> intake.Accepted:
        """Accept a run: the socket hears of it before any worker can (R26)."""
        self._require_redis()
        new = self._new_run(connection.owner, connection.profile, payload)
        own_feed = new.run_id if new.session_id is None else None
        address = FeedAddress(new.owner, new.session_id, own_feed)
        joined = self._rooms.join(connection, address)
        try:
            accepted = self._write(new)
        except Exception:
            if joined and new.session_id is None:
                self._rooms.leave(connection, address.tag)
            raise
        self._after(new, accepted)
        return accepted

    def accept(self, owner: str, profile: str, payload: RunPayload) -> intake.Accepted:
        """Accept a run of somebody who has no socket here."""
        self._require_redis()
        new = self._new_run(owner, profile, payload)
        accepted = self._write(new)
        self._after(new, accepted)
        return accepted

    def abort(self, connection: Connection, payload: AbortPayload) -> stops.Stopped:
        """Stop the live run, else the head of the queue. Raises NotFound."""
        stopped = self._db.write(
            lambda s: stops.ask_stop(s, connection.owner, payload.session_id, payload.run_id)
        )
        if stopped is None:
            raise NotFound("There is nothing to stop.")
        if not connection.hears_own_aborts:
            self._rooms.mute(connection, _address(connection, stopped), stopped.run_id)
        self._stop(connection, stopped)
        return stopped

    def cancel(self, connection: Connection, payload: CancelPayload) -> stops.Stopped:
        """Take a waiting run out of the queue. Raises NotFound."""
        stopped = self._db.write(
            lambda s: stops.cancel(s, connection.owner, payload.session_id, payload.run_id)
        )
        self._stop(connection, stopped)
        return stopped

    # -- starting ---------------------------------------------------------------------------

    def _require_redis(self) -> None:
        """A run that nobody could be shown is refused before it is written down. Full memory and a
        full disk show only when something is written. Raises RedisAway."""
        try:
            self._commands.set(WRITABLE, b"", px=1000)
        except ResponseError as error:
            raise RedisUnavailable("Redis takes no writes now; try again shortly.") from error
        except RedisError as error:
            raise RedisUnavailable from error

    def _new_run(self, owner: str, profile: str, payload: RunPayload) -> intake.NewRun:
        text = payload.text
        long = len(text) > COUNT_ELSEWHERE
        new = intake.NewRun(
            run_id=f"run_{uuid.uuid4().hex}",
            owner=owner,
            session_id=payload.session_id,
            profile=profile,
            input=payload.input,
            text=text,
            token_count=runtime.offload(tokens.count, text) if long else tokens.count(text),
            model=payload.model,
            instructions=payload.instructions,
            client_request_id=payload.client_request_id,
            payload_hash=_hash(payload),
            on_busy=payload.on_busy,
        )
        return self._under_its_first_id(new) if new.session_id is None else new

    def _under_its_first_id(self, new: intake.NewRun) -> intake.NewRun:
        """A repeated request without session watches the run that it made the first time."""
        if new.client_request_id is None:
            return new
        request = new.client_request_id
        first = self._db.read(lambda s: intake.find_request(s, new.owner, None, request))
        return intake.NewRun(**{**vars(new), "run_id": first or new.run_id})

    def _write(self, new: intake.NewRun) -> intake.Accepted:
        try:
            return self._insert(new)
        except IntegrityError:
            return self._insert(new)  # the same request twice at once: the other one is there now
        except DatabaseUnavailable:
            return self._read_back(new)

    def _insert(self, new: intake.NewRun) -> intake.Accepted:
        return self._db.write(
            lambda tx: intake.accept(
                tx, new, queue_cap=self._queue_cap, check_profile=self._profiles.get
            )
        )

    def _read_back(self, new: intake.NewRun) -> intake.Accepted:
        """The COMMIT may have worked although nobody said so (R33)."""
        for tries_left in reversed(range(READ_BACK_TRIES)):
            try:
                found = self._db.read(lambda tx: intake.find(tx, new.run_id))
            except DatabaseUnavailable:
                if not tries_left:
                    raise
                time.sleep(0.3)
            else:
                if found is None:
                    raise DatabaseUnavailable
                return found
        raise AssertionError("unreachable")

    def _after(self, new: intake.NewRun, accepted: intake.Accepted) -> None:
        log.info(
            "run.accepted run_id=%s starts_now=%s repeated=%s",
            accepted.run_id,
            accepted.starts_now,
            accepted.repeated,
        )
        if accepted.repeated:
            return
        if accepted.starts_now:
            self._enqueue(accepted.run_id)
            return
        assert new.session_id is not None  # a run without session never waits
        self._ring(
            new.owner,
            new.session_id,
            "run.queued",
            run_id=accepted.run_id,
            queue_length=accepted.queue_length,
        )
        self._ring_queue(new.owner, new.session_id)
        if accepted.interrupted is not None:
            self._tell_workers(accepted.interrupted)

    def _enqueue(self, run_id: str) -> None:
        if self._queue.run_turn(run_id):
            return
        try:
            self._db.write(lambda tx: intake.unsent(tx, run_id))
        except DatabaseUnavailable:
            log.info("run.unsent run_id=%s", run_id)  # the reaper waits a little longer, then

    # -- stopping ----------------------------------------------------------------------------

    def _stop(self, connection: Connection, stopped: stops.Stopped) -> None:
        log.info("run.stop_asked run_id=%s status=%s", stopped.run_id, stopped.status)
        if not stopped.ended:
            self._tell_workers(stopped.run_id)
            return
        try:
            announce(self._db, self._log, stopped.run_id)
        except (RedisUnavailable, DatabaseUnavailable) as error:
            log.warning("run.unannounced run_id=%s error=%s", stopped.run_id, error.code)
        if stopped.next_run is not None:
            self._enqueue(stopped.next_run)
        if stopped.session_id is not None:
            self._ring_queue(connection.owner, stopped.session_id)

    def _tell_workers(self, run_id: str) -> None:
        """Both are hints: the row says it, and workers look at it with every renewal (R9)."""
        try:
            self._commands.publish(CONTROL, f"stop {run_id}")
        except RedisError as error:
            log.warning("run.stop_unheard run_id=%s error=%s", run_id, type(error).__name__)
            return  # the client is waiting; a task could not be sent either
        self._queue.stop_run(run_id)

    # -- session events -----------------------------------------------------------------------

    def _ring_queue(self, owner: str, session_id: str) -> None:
        try:
            queue = self._db.read(lambda s: conversation.waiting(s, owner, session_id))
        except DatabaseUnavailable:
            return  # only a hint: `resumed` carries the queue
        self._ring(owner, session_id, "queue.updated", queue=queue)

    def _ring(self, owner: str, session_id: str, name: str, **fields: object) -> None:
        payload = {"event": name, "session_id": session_id, **fields}
        try:
            self._log.notify(
                FeedAddress(owner, session_id).tag, session_notification(name, payload)
            )
        except RedisUnavailable:
            log.info("session.unrung event=%s", name)


def _address(connection: Connection, stopped: stops.Stopped) -> FeedAddress:
    run_id = stopped.run_id if stopped.session_id is None else None
    return FeedAddress(connection.owner, stopped.session_id, run_id)


def _hash(payload: RunPayload) -> str:
    """Of what makes a request another one; its own id and session are in the index."""
    parts = payload.model_dump(exclude={"client_request_id", "session_id"})
    try:
        text = json.dumps(parts, sort_keys=True, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        raise InvalidPayload("The payload is not plain JSON.") from None
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
