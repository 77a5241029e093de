"""Who may work on a run: claim, renewal's rows, attempts, giving back (R3, R11-R13, R23)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Integer, String, Update, bindparam, exists, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, aliased

from shared.db.clock import DbNow, read_clock
from shared.db.endings import take_turn
from shared.db.locks import lock_run, lock_session, lock_session_of
from shared.db.models import AttemptRow, RunRow, SessionRow
from shared.db.permits import has_permit
from shared.db.shown_message import Message
from shared.errors import LostRun
from shared.redis_keys import RunKeys, feed_tag
from shared.runs import ENDED, LIVE, RunState


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
    """The run, locked; the clock, not later than that; whether a run of its session is live or
    before it; whether an end there has not been announced."""
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
    found: Any = (
        select(
            RunRow,
            DbNow(),
            exists().where(*sibling, before),
            exists().where(*sibling, other.terminal_seq.is_not(None)),
        )
        .where(RunRow.id == bindparam("of_run"))
        .with_for_update(of=RunRow)
        .execution_options(populate_existing=True)
    )
    return found


_TO_CLAIM = _to_claim()


def claim(
    session: Session,
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
    conversation = lock_session_of(session, run_id)
    locked = session.execute(_TO_CLAIM, {"of_run": run_id}).first()
    if locked is None:
        return Refused(Refusal.UNKNOWN)
    run, now, is_behind, is_untold = locked
    refused = _refusal(session, run, now, is_behind=is_behind, is_untold=is_untold)
    if refused is not None:
        return refused
    if run.state == RunState.QUEUED and not has_permit(session, run, max_runs(run.profile)):
        return Refused(Refusal.NO_PERMIT, profile=run.profile)
    lapsed = run.state in LIVE
    prompt = take_turn(session, run, conversation) if conversation is not None else None
    if run.state == RunState.QUEUED:
        run.state = RunState.RUNNING if run.stop_requested_at is None else RunState.STOPPING
    run.worker = worker
    run.fence += 1
    run.takeovers += int(lapsed)
    run.lease_until = now + lease
    run.first_claimed_at = run.first_claimed_at or now
    session.flush()
    return _granted(run, conversation, worker, lapsed, prompt, now)


def _granted(
    run: RunRow,
    conversation: SessionRow | None,
    worker: str,
    lapsed: bool,
    prompt: Message | None,
    now: float,
) -> Claim:
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
        turn_no=run.turn_no,
        worker=worker,
        fence=run.fence,
        epoch=run.epoch,
        last_seq=run.last_seq,
        takeovers=run.takeovers,
        lapsed=lapsed,
        stop_requested=run.stop_requested_at is not None,
        prompt=prompt,
        waited=now - run.created_at,
        since_first_claim=now - (run.first_claimed_at or now),
    )


def _refusal(
    session: Session, run: RunRow, now: float, *, is_behind: bool, is_untold: bool
) -> Refused | None:
    if run.state in ENDED:
        return Refused(Refusal.ENDED)
    if run.state in LIVE:
        lapsed = run.lease_until is not None and run.lease_until < now
        return None if lapsed else Refused(Refusal.OWNED)
    if run.not_before is not None and run.not_before > now:
        return Refused(Refusal.TOO_EARLY)
    if is_behind:
        return Refused(Refusal.NOT_FIRST)
    if is_untold:
        return Refused(Refusal.UNANNOUNCED, _untold(session, run))
    return None


def _untold(session: Session, run: RunRow) -> tuple[str, ...]:
    """The session's ends that were not announced."""
    return tuple(
        session.scalars(
            select(RunRow.id).where(
                RunRow.owner == run.owner,
                RunRow.session_id == run.session_id,
                RunRow.terminal_seq.is_not(None),
                RunRow.announced_at.is_(None),
            )
        )
    )


def owned(session: Session, claim: Claim) -> RunRow:
    """The run's row, locked with its session, if the claim still stands. Raises LostRun."""
    lock_session(session, claim.owner, claim.session_id)
    run = lock_run(session, claim.run_id)
    if run is None or run.fence != claim.fence or run.state not in LIVE:
        raise LostRun()
    return run


def still_owned(session: Session, claim: Claim) -> bool:
    """Whether the claim still stands, without a lock: asked before a log is made anew (R15)."""
    found = session.scalar(
        select(RunRow.id).where(
            RunRow.id == claim.run_id, RunRow.fence == claim.fence, RunRow.state.in_([*LIVE])
        )
    )
    return found is not None


def next_epoch(session: Session, claim: Claim) -> int:
    """Begin a new life of the run's log, because the old one cannot be continued (R17)."""
    run = owned(session, claim)
    run.epoch += 1
    run.last_seq = 0
    return run.epoch


# A worker's own run, locked: the session need not be, since nothing else of it is touched.
_MINE = (
    RunRow.id == bindparam("of_run"),
    RunRow.fence == bindparam("of_fence"),
    RunRow.state.in_([*LIVE]),
)
_ATTEMPT = ("run_id", "fence", "ephemeral_id", "profile", "intent_at", "gateway_pid")


def _intended(insert: Any) -> Any:
    """Again by the same owner, who may not know whether it was written: the same as once."""
    attempt, pid = bindparam("attempt", type_=String), bindparam("pid", type_=Integer)
    mine = select(RunRow.id, RunRow.fence, attempt, RunRow.profile, DbNow(), pid).where(*_MINE)
    written = insert(AttemptRow).from_select(_ATTEMPT, mine.with_for_update())
    again = {name: written.excluded[name] for name in _ATTEMPT[2:]}
    return written.on_conflict_do_update(
        index_elements=[AttemptRow.run_id, AttemptRow.fence], set_=again
    ).returning(AttemptRow.run_id)


_INTENDED = {
    "postgresql": _intended(postgresql.insert),
    "sqlite": _intended(sqlite.insert),
}


def intend(session: Session, claim: Claim, ephemeral_id: str, gateway_pid: int | None) -> None:
    """Write the attempt down, before the request leaves (R3). Raises LostRun."""
    statement = _INTENDED[session.get_bind().dialect.name]
    _must_change_one(session, statement, claim, {"attempt": ephemeral_id, "pid": gateway_pid})


def note_attempt(session: Session, claim: Claim, ephemeral_id: str, **columns: Any) -> None:
    """Add to an attempt of the run, made by this owner or one before: `gateway_run_id`,
    `stream_opened`, `never_sent`.

    Raises LostRun if the run has another owner by now.
    """
    names = tuple(sorted(columns))
    if names not in _NOTED:
        _NOTED[names] = _noting(names)
    values = {f"new_{name}": value for name, value in columns.items()}
    _must_change_one(session, _NOTED[names], claim, {"attempt": ephemeral_id, **values})


def _noting(names: Sequence[str]) -> Update:
    mine = select(RunRow.id).where(*_MINE).with_for_update().correlate(None)
    return (
        update(AttemptRow)
        .where(
            AttemptRow.run_id == bindparam("of_run"),
            AttemptRow.ephemeral_id == bindparam("attempt"),
            exists(mine),
        )
        .values({name: bindparam(f"new_{name}") for name in names})
        .returning(AttemptRow.run_id)
    )


_NOTED: dict[tuple[str, ...], Update] = {}  # built once each


def _must_change_one(
    session: Session, statement: Any, claim: Claim, values: Mapping[str, Any]
) -> None:
    mine = {"of_run": claim.run_id, "of_fence": claim.fence}
    if session.connection().scalar(statement, {**mine, **values}) is None:
        raise LostRun()


def attempts(session: Session, run_id: str) -> list[AttemptRow]:
    """All attempts of a run, oldest first; without those that are known not to have been sent."""
    rows = session.scalars(
        select(AttemptRow)
        .where(AttemptRow.run_id == run_id, AttemptRow.never_sent.is_(False))
        .order_by(AttemptRow.fence)
    )
    return list(rows)


def put_back(session: Session, claim: Claim, *, last_seq: int, delay: float) -> bool:
    """Return a run that the gateway could not take; it keeps its place and waits `delay` s (R7).

    False if somebody asked to stop it meanwhile: then it is to be ended. Raises LostRun.
    """
    run = owned(session, claim)
    if run.state == RunState.STOPPING:
        return False
    run.state = RunState.QUEUED
    run.worker = None
    run.lease_until = None
    run.last_seq = last_seq
    run.not_before = read_clock(session) + delay
    return True


def release(session: Session, claim: Claim, last_seq: int) -> None:
    """Give a live run away; that counts as no failure (R22). Raises LostRun.

    The fence moves on, so that a renewal that was under way does not take it back.
    """
    run = owned(session, claim)
    run.fence += 1
    run.lease_until = 0.0
    run.last_seq = last_seq
    run.takeovers -= 1


def next_in_line(session: Session, owner: str, session_id: str | None) -> str | None:
    """The queued run of the session that is to start next."""
    if session_id is None:
        return None
    return session.scalar(
        select(RunRow.id)
        .where(
            RunRow.owner == owner,
            RunRow.session_id == session_id,
            RunRow.state == RunState.QUEUED,
        )
        .order_by(RunRow.queue_no)
        .limit(1)
    )
