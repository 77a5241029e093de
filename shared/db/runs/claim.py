"""Claiming a run: which worker becomes its owner (R11-R13, R23).

Problem: a Celery message may come twice, late, or to several workers at once, and the owner of a
run may be dead, or only slow. Exactly one worker may do the run, in the order of its session.
Idea: `claim` decides in one transaction, under the lock of the session's row, by what the rows say:
the run must be queued, first in line and allowed by the limit of its profile, or its lease must
have lapsed. Which run a worker asks for is chosen in `queue/claim_next.py`. The claim gives a lease
(a time until which the owner counts as alive) and a fence, a number that grows with each claim. The
owner renews the lease, and puts the fence into every write.
Invariant: of two claims of a run at most one is granted per fence; a write with an older fence
changes nothing, so an owner that wakes up late does no harm; a session has at most one live run,
and its next one starts only when the end of the one before is announced.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Double, Row, bindparam, exists, or_, select
from sqlalchemy.orm import Session, aliased

from shared.db.clock import waits
from shared.db.locks import RUN_COLUMNS, lock_run, lock_session_of
from shared.db.models import CompressionRow, MessageRow, RunRow, SnapshotRow
from shared.db.runs.concurrency_limit import has_permit
from shared.db.runs.queue.fair_order import make_next_due, note_served, unmake_due
from shared.db.runs.session_queue import PAUSE_MOST, goes_first, is_sibling
from shared.db.runs.state import move, update_state
from shared.db.runs.terminal import BegunTurn, take_turn
from shared.db.sessions.message_json import Message
from shared.event_log.keys import RunKeys, feed_tag
from shared.protocol.run_states import ENDED, LIVE, Move, RunState


@dataclass(frozen=True)
class Claim:
    """The right to do a run, and what is needed for it. Every write gives the `fence`."""

    run_id: str
    owner: str
    session_id: str | None
    profile: str
    input: Any
    history: list[dict[str, Any]] | None  # that the request brought; None: that of the session
    instructions: str | None
    model: str | None
    workspace: str | None  # of the session
    session_model: str | None  # of the session
    session_bytes: int  # that the session holds, about
    is_compressed: bool  # a summary of the session was made, or tried
    turn_no: int | None
    worker: str
    fence: int
    epoch: int
    last_seq: int
    takeovers: int
    lapsed: bool  # it was taken over from an owner whose lease had lapsed
    stop_requested: bool
    prompt: Message | None  # as clients see it; None if its turn began before this claim
    lone_tokens: int | None  # of the prompt, if the session has no other message in a turn
    waited: float  # seconds from acceptance to this claim
    since_first_claim: float  # seconds

    @property
    def keys(self) -> RunKeys:
        """The keys of its log."""
        return RunKeys(feed_tag(self.owner, self.session_id, self.run_id), self.run_id)


class Refusal(StrEnum):
    """Why a claim was not granted."""

    UNKNOWN = "unknown"
    ENDED = "ended"
    OWNED = "owned"
    NOT_FIRST = "not_first"
    TOO_EARLY = "too_early"
    UNANNOUNCED = "unannounced"
    NO_PERMIT = "no_permit"
    BUSY = "busy"  # somebody else has the session just now


@dataclass(frozen=True)
class Refused:
    """A claim that was not granted. `predecessors`: runs of the session `owner`, `session_id` whose
    ends have to be announced first. `run_id`: the run that was not granted."""

    why: Refusal
    predecessors: tuple[str, ...] = ()
    owner: str = ""
    session_id: str | None = None
    run_id: str = ""


def _to_claim() -> Any:
    """Lock the run and read what the decision needs: whether a run of its session goes first,
    whether an end there is not announced, whether the session has turns, and was compressed. The
    session is locked before, so that this stays true until the claim is written."""
    other = aliased(RunRow)
    sibling = (is_sibling(other), other.announced_at.is_(None))  # as all that are open
    compressed = [
        exists().where(table.owner == RunRow.owner, table.session_id == RunRow.session_id)
        for table in (SnapshotRow, CompressionRow)
    ]
    in_turns = exists().where(
        MessageRow.owner == RunRow.owner,
        MessageRow.session_id == RunRow.session_id,
        MessageRow.turn_no.is_not(None),
    )
    return (
        select(
            *RUN_COLUMNS,
            RunRow.input,
            RunRow.history,
            RunRow.instructions,
            RunRow.created_at,
            RunRow.not_before,
            RunRow.due_no,
            RunRow.first_claimed_at,
            RunRow.lease_until,
            RunRow.stop_requested_at,
            exists().where(*sibling, goes_first(other)).label("is_behind"),
            exists().where(*sibling, other.terminal_seq.is_not(None)).label("has_unannounced"),
            or_(*compressed).label("is_compressed"),
            in_turns.label("has_turns"),
        )
        .where(RunRow.id == bindparam("of_run"))
        .with_for_update(of=RunRow)
    )


_TO_CLAIM = _to_claim()
_CLAIMED = update_state(
    worker=bindparam("new_worker"),
    fence=bindparam("new_fence"),
    turn_no=bindparam("turn"),
    takeovers=bindparam("new_takeovers"),
    lease_until=bindparam("until"),
    first_claimed_at=bindparam("first", type_=Double),
)


def claim(
    tx: Session,
    run_id: str,
    worker: str,
    lease: float,
    max_runs: Callable[[str], int] = lambda profile: 0,
) -> Claim | Refused:
    """Make `worker` the owner of a queued or lapsed run for `lease` seconds.

    `max_runs`: how many runs of a profile may be live at once (R7); 0: any number. Claims of one
    session wait for each other on the session's row; the partial unique index of live runs would
    refuse a second one even without that lock.
    """
    conversation = lock_session_of(tx, run_id)

    def is_permitted(run: Row[Any]) -> bool:
        return run.state != RunState.QUEUED or has_permit(tx, run.profile, max_runs(run.profile))

    return claim_locked(tx, conversation, run_id, worker, lease, is_permitted)


def claim_locked(
    tx: Session,
    conversation: Row[Any] | None,
    run_id: str,
    worker: str,
    lease: float,
    is_permitted: Callable[[Row[Any]], bool] = lambda run: True,
) -> Claim | Refused:
    """The same with the session locked already. A run that turns out not to be due loses its number
    (`shared.db.runs.queue.fair_order`); if another one of its session is, that gets one."""
    run = lock_run(tx, run_id, _TO_CLAIM)
    if run is None:
        return Refused(Refusal.UNKNOWN)
    refused = _refusal(tx, run)
    if refused is not None:
        if run.due_no is not None:
            _correct(tx, run, refused.why)
        return refused
    if not is_permitted(run):
        return Refused(Refusal.NO_PERMIT, run_id=run.id)
    begun = take_turn(tx, run, conversation) if conversation is not None else BegunTurn(run.turn_no)
    granted = _granted(run, conversation, worker, begun)
    _store(tx, run, granted, lease)
    if run.due_no is not None and not granted.lapsed:
        note_served(tx, run.owner, run.due_no)
    return granted


def _correct(tx: Session, run: Row[Any], why: Refusal) -> None:
    """Else it would stay the first that is found, and nothing behind it would start."""
    if why in {Refusal.NOT_FIRST, Refusal.UNANNOUNCED}:
        unmake_due(tx, run.id)
        make_next_due(tx, run.owner, run.session_id)


def _store(tx: Session, run: Row[Any], granted: Claim, lease: float) -> None:
    move(
        tx,
        run,
        Move.TAKE_OVER if granted.lapsed else Move.CLAIM,
        _CLAIMED,
        new_worker=granted.worker,
        new_fence=granted.fence,
        turn=granted.turn_no,
        new_takeovers=granted.takeovers,
        until=run.now + lease,
        first=_first_claim(run),
    )


def _first_claim(run: Row[Any]) -> float:
    """When it was first claimed; now, if that was never, or before the clock was set back."""
    now: float = run.now
    return min(run.first_claimed_at or now, now)


def _granted(
    run: Row[Any],
    conversation: Row[Any] | None,
    worker: str,
    begun: BegunTurn,
) -> Claim:
    lapsed = run.state in LIVE
    return Claim(
        run_id=run.id,
        owner=run.owner,
        session_id=run.session_id,
        profile=run.profile,
        input=run.input,
        history=run.history,
        instructions=run.instructions,
        model=run.model,
        workspace=conversation.workspace if conversation is not None else None,
        session_model=conversation.model if conversation is not None else None,
        session_bytes=conversation.stored_bytes if conversation is not None else 0,
        is_compressed=run.is_compressed,
        turn_no=begun.turn_no,
        worker=worker,
        fence=run.fence + 1,
        epoch=run.epoch,
        last_seq=run.last_seq,
        takeovers=run.takeovers + int(lapsed),
        lapsed=lapsed,
        stop_requested=run.stop_requested_at is not None,
        prompt=begun.prompt,
        lone_tokens=None if run.has_turns or run.is_compressed else begun.prompt_tokens,
        waited=max(run.now - run.created_at, 0.0),
        since_first_claim=run.now - _first_claim(run),
    )


def _refusal(tx: Session, run: Row[Any]) -> Refused | None:
    if run.state in ENDED:
        return Refused(Refusal.ENDED)
    if run.state in LIVE:
        lapsed = run.lease_until is not None and run.lease_until < run.now
        return None if lapsed else Refused(Refusal.OWNED)
    if waits(run.not_before, run.now, PAUSE_MOST):
        return Refused(Refusal.TOO_EARLY)
    if run.is_behind:
        return Refused(Refusal.NOT_FIRST)
    if run.has_unannounced:
        unannounced = _unannounced(tx, run)
        return Refused(Refusal.UNANNOUNCED, unannounced, run.owner, run.session_id, run.id)
    return None


def _unannounced(tx: Session, run: Row[Any]) -> tuple[str, ...]:
    """Return the ended runs of the session whose ends are not announced."""
    return tuple(
        tx.scalars(
            select(RunRow.id).where(
                RunRow.owner == run.owner,
                RunRow.session_id == run.session_id,
                RunRow.terminal_seq.is_not(None),
                RunRow.announced_at.is_(None),
            )
        )
    )
