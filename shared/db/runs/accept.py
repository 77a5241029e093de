"""Accepting a request: session, prompt and run, in one transaction under the session's lock."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from sqlalchemy import Row, bindparam, func, insert, literal, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from shared.conversation.search_terms import VERSION
from shared.db.clock import DbNow
from shared.db.constants import constants
from shared.db.database import Database
from shared.db.models import NO_SESSION, MessageRow, RunRow
from shared.db.responses import place, records
from shared.db.responses.records import NewResponse
from shared.db.runs import idempotency
from shared.db.runs.idempotency import IdempotencyKey
from shared.db.runs.queue.admission import NO_LIMITS, RunLimits, require_room
from shared.db.runs.queue.fair_order import next_no
from shared.db.runs.state import insert_run
from shared.db.runs.stop import open_runs, request_stop
from shared.db.search.index import index_prompt
from shared.db.sessions.stored_bytes import json_size, size_of
from shared.db.sessions.upsert import find_or_make, touch
from shared.errors import QueueFull, RequestConflict, SessionBusy, SessionTooLarge
from shared.protocol.run_states import INITIAL, LIVE, OPEN, RunState

OnBusy = Literal["queue", "reject", "interrupt"]


@dataclass(frozen=True)
class NewRun:
    """A validated request. `input`: as the client sent it; `text`: the text of it. `response`: it
    is one, and may then end up in another session than `session_id`. `history`: messages `{role,
    content}` that the run goes on from, in place of those of its session."""

    run_id: str
    owner: str
    session_id: str | None
    profile: str  # of a session that does not exist yet; others keep theirs (P16)
    input: Any
    text: str
    token_count: int | None
    model: str | None
    instructions: str | None
    client_request_id: str | None
    payload_hash: str
    on_busy: OnBusy = "queue"
    key: IdempotencyKey | None = None
    response: NewResponse | None = None
    history: list[dict[str, Any]] | None = None


@dataclass(frozen=True)
class Accepted:
    """The run that was made for the request. `starts_now`: it is first in line."""

    run_id: str
    session_id: str | None
    status: str
    starts_now: bool = False
    queue_length: int = 0  # queued runs, this one included
    interrupted: str | None = None  # the live run whose stop was requested
    repeated: bool = False


def accept(
    tx: Session,
    new: NewRun,
    *,
    queue_cap: int,
    check_profile: Callable[[str], object],
    max_bytes: int | None = None,
    limits: RunLimits = NO_LIMITS,
) -> Accepted:
    """Store session, prompt and run. A repeated key or `client_request_id` gives the first run.

    `max_bytes`: how much the session may hold. Raises UnknownProfile (from `check_profile`),
    RequestConflict, IdempotencyConflict, SessionTooLarge, QueueFull, QuotaExceeded, SessionBusy;
    for a response also NotFound and ResponseInProgress. Requests of one session wait for each
    other; of two first ones at once, one makes the session.
    """
    known = _known(tx, new)
    if known is not None:
        return known
    new, first_turn = _placed(tx, new, new.response)
    size = _size(new)
    conversation, is_fresh = _conversation(tx, new, size)
    before = _earlier(tx, new)
    if before is not None:
        return before
    profile = conversation.profile if conversation is not None else new.profile
    check_profile(profile)
    if conversation is not None and max_bytes is not None:
        _check_size(conversation.stored_bytes + (0 if is_fresh else size), max_bytes)
    ahead, last = _queue(tx, new) if not is_fresh else ([], 0)
    waiting = _waiting(ahead)
    if ahead and new.on_busy == "reject":
        raise SessionBusy()
    if len(waiting) >= queue_cap:
        raise QueueFull()
    require_room(tx, new.owner, limits)
    interrupted = _interrupt(tx, ahead) if new.on_busy == "interrupt" else None
    starts_now = not ahead or (new.on_busy == "interrupt" and len(waiting) == len(ahead))
    _insert(tx, new, profile, _queue_no(new, waiting, last), starts_now=starts_now)
    if new.key is not None:
        idempotency.store(tx, new.owner, new.key, new.run_id)
    if new.response is not None:
        records.add(tx, new.run_id, new.response, first_turn)
    if conversation is not None and not is_fresh:
        touch(tx, conversation, text=new.text, model=new.model, size=size)
    return Accepted(
        run_id=new.run_id,
        session_id=new.session_id,
        status=INITIAL.value,
        starts_now=starts_now,
        queue_length=len(waiting) + 1,
        interrupted=interrupted,
    )


def accept_once(
    db: Database,
    new: NewRun,
    *,
    queue_cap: int,
    check_profile: Callable[[str], object],
    max_bytes: int | None = None,
    limits: RunLimits = NO_LIMITS,
) -> Accepted:
    """`accept` in a transaction of its own; of two equal requests at once, both get the one run."""

    def work(tx: Session) -> Accepted:
        return accept(
            tx,
            new,
            queue_cap=queue_cap,
            check_profile=check_profile,
            max_bytes=max_bytes,
            limits=limits,
        )

    try:
        return db.write(work)
    except IntegrityError:
        return db.write(work)  # the other request's run is there now


def find(tx: Session, run_id: str) -> Accepted | None:
    """Return the run if it was stored; for use after a COMMIT of unknown outcome (R33)."""
    run = tx.get(RunRow, run_id)
    if run is None:
        return None
    waiting = _waiting(open_runs(tx, run.owner, run.session_id))
    return Accepted(
        run_id=run.id,
        session_id=run.session_id,
        status=run.state,
        starts_now=run.enqueued_at is not None,
        queue_length=len(waiting),
    )


def find_request(
    tx: Session, owner: str, session_id: str | None, client_request_id: str
) -> str | None:
    """Return the run that was made for this request before, if any."""
    wanted = literal(session_id) if session_id is not None else NO_SESSION
    return tx.scalar(
        select(RunRow.id).where(
            RunRow.owner == owner,
            func.coalesce(RunRow.session_id, NO_SESSION) == wanted,
            RunRow.client_request_id == client_request_id,
        )
    )


# -- accepting --------------------------------------------------------------------------------


def _conversation(tx: Session, new: NewRun, size: int) -> tuple[Row[Any] | None, bool]:
    """Lock the row of the session, or make it; whether it was made now."""
    if new.session_id is None:
        return None, False
    return find_or_make(
        tx,
        new.owner,
        new.session_id,
        profile=new.profile,
        model=new.model,
        text=new.text,
        size=size,
    )


def _placed(tx: Session, new: NewRun, response: NewResponse | None) -> tuple[NewRun, int | None]:
    """The response in its session; and the turn of the messages before its prompt, if it brings
    any."""
    if response is None:
        return new, None
    assert new.session_id is not None
    found = place.place_of(tx, new.owner, response, new.session_id)
    instructions = new.instructions if new.instructions is not None else found.instructions
    new = replace(new, session_id=found.session_id, instructions=instructions)
    if not response.before:
        return new, None
    turn = place.add_before(
        tx,
        new.owner,
        found.session_id,
        response.before,
        profile=new.profile,
        model=new.model,
        text=new.text,
    )
    return new, turn


def _size(new: NewRun) -> int:
    """The bytes that the request adds to its session: the prompt, the input of the run, and the
    history that it brings."""
    brought = json_size(new.history) if new.history is not None else 0
    return size_of(_prompt(new)) + json_size(new.input) + brought


def _prompt(new: NewRun) -> dict[str, Any]:
    blocks = new.input if isinstance(new.input, list) else None
    return {"content": new.text, "content_blocks": blocks}


def _check_size(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise SessionTooLarge()


def _known(tx: Session, new: NewRun) -> Accepted | None:
    """The run of an earlier request with the same key, before anything is made for this one."""
    run = idempotency.first_run(tx, new.owner, new.key) if new.key is not None else None
    return Accepted(run.id, run.session_id, run.state, repeated=True) if run is not None else None


def _earlier(tx: Session, new: NewRun) -> Accepted | None:
    if new.client_request_id is None:
        return None
    run_id = find_request(tx, new.owner, new.session_id, new.client_request_id)
    run = tx.get(RunRow, run_id) if run_id is not None else None
    if run is None:
        return None
    if run.payload_hash != new.payload_hash:
        raise RequestConflict()
    return Accepted(run.id, run.session_id, run.state, repeated=True)


def _waiting(runs: Sequence[Row[Any]]) -> list[Row[Any]]:
    return [run for run in runs if run.state == RunState.QUEUED]


def _interrupt(tx: Session, ahead: Sequence[Row[Any]]) -> str | None:
    live = next((run for run in ahead if run.state in LIVE), None)
    if live is None:
        return None
    request_stop(tx, live)
    return str(live.id)


def _ahead() -> Any:
    """The open runs of a session, and the one with the highest `queue_no` in any state."""
    mine = (RunRow.owner == bindparam("owner"), RunRow.session_id == bindparam("session_id"))
    last = select(func.max(RunRow.queue_no)).where(*mine).scalar_subquery()
    return (
        select(RunRow.id, RunRow.state, RunRow.queue_no)
        .where(*mine, RunRow.state.in_(constants(OPEN)) | (RunRow.queue_no == last))
        .order_by(RunRow.queue_no)
    )


_AHEAD = _ahead()


def _queue(tx: Session, new: NewRun) -> tuple[list[Row[Any]], int]:
    """Return the open runs in the order of the queue, and the highest `queue_no` ever given."""
    if new.session_id is None:
        return [], 0
    here = {"owner": new.owner, "session_id": new.session_id}
    runs = tx.connection().execute(_AHEAD, here).all()
    return [run for run in runs if run.state in OPEN], runs[-1].queue_no if runs else 0


def _queue_no(new: NewRun, waiting: Sequence[Row[Any]], last: int) -> int:
    """Return a `queue_no` after all others; with `interrupt`, before all queued ones (R34)."""
    if new.on_busy == "interrupt" and waiting:
        return int(waiting[0].queue_no) - 1
    return last + 1


# Built once. Core rather than ORM: nothing is read back.
_WAITING = insert_run(created_at=DbNow())
_STARTING = _WAITING.values(enqueued_at=DbNow(), due_no=next_no())
_PROMPT = insert(MessageRow).values(timestamp=DbNow(), indexed_by=VERSION)


def _insert(tx: Session, new: NewRun, profile: str, queue_no: int, *, starts_now: bool) -> None:
    connection = tx.connection()
    connection.execute(
        _STARTING if starts_now else _WAITING,
        {
            **({"of_owner": new.owner, "of_profile": profile} if starts_now else {}),
            "id": new.run_id,
            "owner": new.owner,
            "session_id": new.session_id,
            "profile": profile,
            "input": new.input,
            "history": new.history,
            "instructions": new.instructions,
            "model": new.model,
            "client_request_id": new.client_request_id,
            "payload_hash": new.payload_hash,
            "queue_no": queue_no,
        },
    )
    if new.session_id is not None:
        connection.execute(
            _PROMPT,
            {
                "owner": new.owner,
                "session_id": new.session_id,
                "run_id": new.run_id,
                "idx": 0,
                "role": "user",
                **_prompt(new),
                "token_count": new.token_count,
            },
        )
        index_prompt(tx, new.owner, new.run_id, new.text)
