"""Who gets a run (R11-R13, R23)."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Double, Row, bindparam, exists, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from shared.db.locks import RUN_COLUMNS, lock_run, lock_session_of
from shared.db.models import CompressionRow, RunRow, SnapshotRow
from shared.db.runs.concurrency_limit import has_permit
from shared.db.runs.terminal import take_turn
from shared.db.sessions.message_json import Message
from shared.event_log.keys import RunKeys, feed_tag
from shared.protocol.run_states import ENDED, LIVE, RunState


@dataclass(frozen=True)
class Claim:
    """The right to a run, and what it takes to do it. `fence` goes with every write."""

    run_id: str
    owner: str
    session_id: str | None
    profile: str
    input: Any
    instructions: str | None
    model: str | None
    workspace: str | None  # the session's, like the next
    session_model: str | None
    is_compressed: bool  # whether there may be a summary of the session, or failures of one
    turn_no: int | None
    worker: str
    fence: int
    epoch: int
    last_seq: int
    takeovers: int
    lapsed: bool
    stop_requested: bool
    prompt: Message | None  # as clients see it, if its turn began with this claim
    waited: float  # seconds from acceptance to this claim
    since_first_claim: float  # seconds

    @property
    def keys(self) -> RunKeys:
        """Where its log is."""
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


@dataclass(frozen=True)
class Refused:
    """`predecessors`: ended runs that must be announced before this one can start. `profile`: of
    a run without permit."""

    why: Refusal
    predecessors: tuple[str, ...] = ()
    profile: str = ""


def _to_claim() -> Any:
    """The run, locked; whether a run of its session is live or before it; whether an end there
    has not been announced; whether anything was compressed. The session is locked already, so that
    all this still holds then."""
    other = aliased(RunRow)
    sibling = (
        other.owner == RunRow.owner,
        other.session_id == RunRow.session_id,
        other.id != RunRow.id,
        other.announced_at.is_(None),
    )
    before = other.state.in_([*LIVE]) | (
        (other.state == RunState.QUEUED) & (other.queue_no < RunRow.queue_no)
    )
    compressed = [
        exists().where(table.owner == RunRow.owner, table.session_id == RunRow.session_id)
        for table in (SnapshotRow, CompressionRow)
    ]
    return (
        select(
            *RUN_COLUMNS,
            RunRow.input,
            RunRow.instructions,
            RunRow.created_at,
            RunRow.not_before,
            RunRow.first_claimed_at,
            RunRow.lease_until,
            RunRow.stop_requested_at,
            exists().where(*sibling, before).label("is_behind"),
            exists().where(*sibling, other.terminal_seq.is_not(None)).label("has_unannounced"),
            or_(*compressed).label("is_compressed"),
        )
        .where(RunRow.id == bindparam("of_run"))
        .with_for_update(of=RunRow)
    )


_TO_CLAIM = _to_claim()
_CLAIMED = (
    update(RunRow)
    .where(RunRow.id == bindparam("of_run"))
    .values(
        state=bindparam("new_state"),
        worker=bindparam("new_worker"),
        fence=bindparam("new_fence"),
        turn_no=bindparam("turn"),
        takeovers=bindparam("new_takeovers"),
        lease_until=bindparam("until"),
        first_claimed_at=func.coalesce(RunRow.first_claimed_at, bindparam("now", type_=Double)),
    )
)


def claim(
    tx: Session,
    run_id: str,
    worker: str,
    lease: float,
    max_runs: Callable[[str], int] = lambda profile: 0,
) -> Claim | Refused:
    """Take a queued run, or one whose lease has lapsed, for `lease` seconds.

    `max_runs`: how many runs of a profile may be live at once (R7); 0: any number.
    Two claims of one session wait for each other on the session's row, so exactly one gets it;
    the partial unique index stands behind that lock.
    """
    conversation = lock_session_of(tx, run_id)
    run = lock_run(tx, run_id, _TO_CLAIM)
    if run is None:
        return Refused(Refusal.UNKNOWN)
    refused = _refusal(tx, run)
    if refused is not None:
        return refused
    if run.state == RunState.QUEUED and not has_permit(tx, run, max_runs(run.profile)):
        return Refused(Refusal.NO_PERMIT, profile=run.profile)
    turn_no, prompt = run.turn_no, None
    if conversation is not None:
        turn_no, prompt = take_turn(tx, run, conversation)
    granted = _granted(run, conversation, worker, turn_no, prompt)
    _write_down(tx, run, granted, lease)
    return granted


def _write_down(tx: Session, run: Row[Any], granted: Claim, lease: float) -> None:
    state = run.state
    if state == RunState.QUEUED:
        state = RunState.STOPPING if granted.stop_requested else RunState.RUNNING
    values = {
        "of_run": granted.run_id,
        "new_state": str(state),
        "new_worker": granted.worker,
        "new_fence": granted.fence,
        "turn": granted.turn_no,
        "new_takeovers": granted.takeovers,
        "until": run.now + lease,
        "now": run.now,
    }
    tx.connection().execute(_CLAIMED, values)


def _granted(
    run: Row[Any],
    conversation: Row[Any] | None,
    worker: str,
    turn_no: int | None,
    prompt: Message | None,
) -> Claim:
    lapsed = run.state in LIVE
    return Claim(
        run_id=run.id,
        owner=run.owner,
        session_id=run.session_id,
        profile=run.profile,
        input=run.input,
        instructions=run.instructions,
        model=run.model,
        workspace=conversation.workspace if conversation is not None else None,
        session_model=conversation.model if conversation is not None else None,
        is_compressed=run.is_compressed,
        turn_no=turn_no,
        worker=worker,
        fence=run.fence + 1,
        epoch=run.epoch,
        last_seq=run.last_seq,
        takeovers=run.takeovers + int(lapsed),
        lapsed=lapsed,
        stop_requested=run.stop_requested_at is not None,
        prompt=prompt,
        waited=run.now - run.created_at,
        since_first_claim=run.now - (run.first_claimed_at or run.now),
    )


def _refusal(tx: Session, run: Row[Any]) -> Refused | None:
    if run.state in ENDED:
        return Refused(Refusal.ENDED)
    if run.state in LIVE:
        lapsed = run.lease_until is not None and run.lease_until < run.now
        return None if lapsed else Refused(Refusal.OWNED)
    if run.not_before is not None and run.not_before > run.now:
        return Refused(Refusal.TOO_EARLY)
    if run.is_behind:
        return Refused(Refusal.NOT_FIRST)
    if run.has_unannounced:
        return Refused(Refusal.UNANNOUNCED, _unannounced(tx, run))
    return None


def _unannounced(tx: Session, run: Row[Any]) -> tuple[str, ...]:
    """The session's ends that were not announced."""
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
