"""What clients may ask of runs: start, stop, cancel. Joins, writes, publishes, enqueues."""

import hashlib
import json
import logging
import threading
import time
import uuid
from dataclasses import replace
from typing import Any

from shared import runtime
from shared.conversation import tokens
from shared.db.database import Database
from shared.db.responses.records import NewResponse
from shared.db.runs import accept as intake
from shared.db.runs import stop as stops
from shared.db.runs.idempotency import key_of
from shared.db.runs.queue.admission import NO_LIMITS, RunLimits
from shared.db.sessions import read as conversation
from shared.errors import (
    DatabaseUnavailable,
    InvalidPayload,
    NotFound,
    Overloaded,
    RedisUnavailable,
)
from shared.event_log.clients import Commands, RedisError, ResponseError
from shared.event_log.keys import WRITABLE
from shared.event_log.session_events import publish_session_event
from shared.event_log.store import EventLog
from shared.hermes.profiles import Profiles
from shared.metrics import web as metrics
from shared.protocol.run_states import ENDED
from shared.run_end import announce
from shared.task_queue import TaskQueue
from shared.tracing.run_spans import Span
from shared.tracing.tracer import NoTracer, Tracer
from web.api.backlog import Backlog
from web.api.waiting_places import WaitingPlaces
from web.payloads import AbortPayload, CancelPayload, RunPayload
from web.relay.feed_address import FeedAddress
from web.resume.membership import Membership
from web.sockets.connections import Connection

log = logging.getLogger(__name__)

COUNT_ASIDE = 50_000  # characters; counting more would hold all requests for milliseconds
READ_BACK_TRIES = 3
STARTS_AT_ONCE = 4  # that are stored; stops and reads need not wait for more than these
START_WAIT = 15.0  # seconds; proxies give a request twice as long at least

_MAKES_A_DIFFERENCE = {"input", "model", "instructions", "on_busy"}


class RunRequests:
    """All methods raise errors of `shared.errors`; their docstrings are what clients read."""

    def __init__(
        self,
        *,
        db: Database,
        event_log: EventLog,
        commands: Commands,
        queue: TaskQueue,
        profiles: Profiles,
        membership: Membership | None,
        queue_cap: int,
        session_max_bytes: int,
        tracer: Tracer | None = None,
        limits: RunLimits = NO_LIMITS,
        waiting_max: int = 0,
        places: WaitingPlaces | None = None,
    ) -> None:
        """`membership`: None where no client has a socket: only `accept` and `stop` may be called
        then. `limits`: of one owner's runs; `waiting_max`: of all that wait, 0 for any number."""
        self._tracer = tracer or NoTracer()
        self._db = db
        self._event_log = event_log
        self._commands = commands
        self._queue = queue
        self._profiles = profiles
        self._membership = membership
        self._queue_cap = queue_cap
        self._session_max_bytes = session_max_bytes
        self._limits = limits
        self._places = places
        self._starts = threading.BoundedSemaphore(STARTS_AT_ONCE)
        self._backlog = Backlog(db, waiting_max)

    def start(self, connection: Connection, payload: RunPayload) -> intake.Accepted:
        """Accept a run. The socket joins before any worker can begin, so that it misses nothing
        (R26)."""
        assert self._membership is not None
        began = time.time()
        self._require_redis()
        self._backlog.require_room()
        new = self._new_run(connection.owner, connection.profile, payload)
        own_feed = new.run_id if new.session_id is None else None
        address = FeedAddress(new.owner, new.session_id, own_feed)
        joined = self._membership.join(connection, address)
        try:
            accepted = self._write(new)
        except Exception:
            if joined and new.session_id is None:
                self._membership.leave(connection, address.tag)
            raise
        self._after(new, accepted, began)
        return accepted

    def accept(
        self,
        owner: str,
        profile: str,
        payload: RunPayload,
        *,
        key: str | None = None,
        request: dict[str, Any] | None = None,
        response: NewResponse | None = None,
        history: list[dict[str, Any]] | None = None,
    ) -> intake.Accepted:
        """Accept a run of a client that has no socket here. `key`: by which the client would
        recognise the request, if it sent it again, whatever the session; `request`: all that it
        says, if that is not the payload. `response`: the run is one; the session of the payload is
        then the one to make if it has to be a new one. `history`: messages that the run goes on
        from, in place of those of its session."""
        began = time.time()
        self._require_redis()
        self._backlog.require_room()
        new = replace(self._new_run(owner, profile, payload), response=response)
        if history:
            said = {"payload": new.payload_hash, "history": history}
            new = replace(new, history=history, payload_hash=_hashed(said))
        if key is not None:
            said = request if request is not None else _all_of(payload, history)
            new = replace(new, key=key_of(key, _hashed(said)))
        accepted = self._write(new)
        self._after(new, accepted, began)
        return accepted

    def abort(self, connection: Connection, payload: AbortPayload) -> stops.Stopped:
        """Stop the live run, else the head of the queue. Raises NotFound."""
        stopped = self._db.write(
            lambda tx: stops.ask_stop(tx, connection.owner, payload.session_id, payload.run_id)
        )
        if stopped is None:
            raise NotFound("There is nothing to stop.")
        if not connection.receives_own_aborts:
            assert self._membership is not None
            self._membership.mute(connection, _address(connection, stopped), stopped.run_id)
        self._stop(connection.owner, stopped)
        return stopped

    def stop(self, owner: str, run_id: str) -> stops.Stopped:
        """Stop this run, for a client that has no socket here. Raises NotFound."""
        stopped = self._db.write(lambda tx: stops.ask_stop(tx, owner, None, run_id))
        if stopped is None or (stopped.status in ENDED and not stopped.ended):
            raise NotFound
        self._stop(owner, stopped)
        return stopped

    def cancel(self, connection: Connection, payload: CancelPayload) -> stops.Stopped:
        """Take a waiting run out of the queue. Raises NotFound."""
        stopped = self._db.write(
            lambda tx: stops.cancel(tx, connection.owner, payload.session_id, payload.run_id)
        )
        self._stop(connection.owner, stopped)
        return stopped

    # -- starting ---------------------------------------------------------------------------

    def _require_redis(self) -> None:
        """Refuse a run whose events could not be shown before it is stored. Full memory and a full
        disk show only with a write. Raises RedisUnavailable."""
        try:
            self._commands.set(WRITABLE, b"", px=1000)
        except ResponseError as error:
            raise RedisUnavailable("Redis takes no writes now; try again shortly.") from error
        except RedisError as error:
            raise RedisUnavailable from error

    def _new_run(self, owner: str, profile: str, payload: RunPayload) -> intake.NewRun:
        text = payload.text
        long = len(text) > COUNT_ASIDE
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
        return self._with_first_id(new) if new.session_id is None else new

    def _with_first_id(self, new: intake.NewRun) -> intake.NewRun:
        """The same with the id of the run that this request made before, if it is repeated: the
        socket then joins that run."""
        if new.client_request_id is None:
            return new
        request = new.client_request_id
        first = self._db.read(lambda tx: intake.find_request(tx, new.owner, None, request))
        return intake.NewRun(**{**vars(new), "run_id": first or new.run_id})

    def _write(self, new: intake.NewRun) -> intake.Accepted:
        check_profile = self._profiles.getter_for(new.owner)
        if not self._starts.acquire(timeout=START_WAIT):
            raise Overloaded("Too many runs come in at once; try again in a while.")
        try:
            return intake.accept_once(
                self._db,
                new,
                queue_cap=self._queue_cap,
                check_profile=check_profile,
                max_bytes=self._session_max_bytes,
                limits=self._limits,
            )
        except DatabaseUnavailable:
            return self._read_back(new)
        finally:
            self._starts.release()

    def _read_back(self, new: intake.NewRun) -> intake.Accepted:
        """The run as it was stored: a COMMIT may count although its answer was lost (R33). Raises
        DatabaseUnavailable if it was not."""
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

    def _after(self, new: intake.NewRun, accepted: intake.Accepted, began: float) -> None:
        log.info(
            "run.accepted run_id=%s starts_now=%s repeated=%s",
            accepted.run_id,
            accepted.starts_now,
            accepted.repeated,
        )
        if accepted.repeated:
            return
        metrics.ACCEPTED.labels(new.profile).inc()
        self._tracer.part(accepted.run_id, Span("accept", began, time.time()))
        if accepted.starts_now:
            self._queue.run_turn(accepted.run_id)
            if self._places is not None and accepted.session_id is not None:
                self._places.note(new.owner, accepted.session_id, accepted.run_id)
            return
        assert accepted.session_id is not None  # a run without session never waits
        publish_session_event(
            self._event_log,
            "run.queued",
            owner=new.owner,
            session_id=accepted.session_id,
            run_id=accepted.run_id,
            queue_length=accepted.queue_length,
        )
        self._publish_queue(new.owner, accepted.session_id)
        if accepted.interrupted is not None:
            self._notify_workers(accepted.interrupted)

    # -- stopping ----------------------------------------------------------------------------

    def _stop(self, owner: str, stopped: stops.Stopped) -> None:
        log.info("run.stop_asked run_id=%s status=%s", stopped.run_id, stopped.status)
        if not stopped.ended:
            self._notify_workers(stopped.run_id)
            return
        try:
            announce(self._db, self._event_log, stopped.run_id)
        except (RedisUnavailable, DatabaseUnavailable) as error:
            log.warning("run.unannounced run_id=%s error=%s", stopped.run_id, error.code)
        if stopped.next_run is not None:
            self._queue.run_turn(stopped.next_run)
        if stopped.session_id is not None:
            self._publish_queue(owner, stopped.session_id)

    def _notify_workers(self, run_id: str) -> None:
        """Two hints: the row has the stop, and workers look at it with every renewal (R9)."""
        try:
            control = self._event_log.channels_on(self._commands).control
            self._commands.publish(control, f"stop {run_id}")
        except RedisError as error:
            log.warning("run.stop_unpublished run_id=%s error=%s", run_id, type(error).__name__)
            return  # the client is waiting; a task could not be sent either
        self._queue.stop_run(run_id)

    def _publish_queue(self, owner: str, session_id: str) -> None:
        try:
            queue = self._db.read(lambda tx: conversation.waiting(tx, owner, session_id))
        except DatabaseUnavailable:
            return  # only a hint: `resumed` carries the queue
        publish_session_event(
            self._event_log, "queue.updated", owner=owner, session_id=session_id, queue=queue
        )


def _address(connection: Connection, stopped: stops.Stopped) -> FeedAddress:
    run_id = stopped.run_id if stopped.session_id is None else None
    return FeedAddress(connection.owner, stopped.session_id, run_id)


def _hash(payload: RunPayload) -> str:
    """The hash of what makes two requests different; id and session are in the index."""
    return _hashed(payload.model_dump(include=_MAKES_A_DIFFERENCE))


def _all_of(payload: RunPayload, history: list[dict[str, Any]] | None) -> dict[str, Any]:
    """All that the request says."""
    return payload.model_dump() | ({"history": history} if history else {})


def _hashed(parts: dict[str, Any]) -> str:
    try:
        text = json.dumps(parts, sort_keys=True, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        raise InvalidPayload("The payload is not plain JSON.") from None
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
