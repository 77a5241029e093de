"""Reading a session as a person sees it: its runs, its messages, its queue."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Integer, Row, String, bindparam, func, select
from sqlalchemy.orm import Session

from shared.conversation.content import input_text
from shared.db.constants import constant, constants
from shared.db.models import MessageRow, RunRow, SessionRow
from shared.db.sessions.bad_ends import read_bad_ends
from shared.db.sessions.message_json import MESSAGE_COLUMNS, Message, message
from shared.db.sessions.summaries import context_sums
from shared.protocol.run_states import ENDED, LIVE, OPEN, RunState

PAGE = 500  # messages
SHOWN = 2_000  # characters of a queued input: enough to recognize it
LIVE_MOST = 2_000
ENDED_RUNS = 32  # a notification will hardly be later than that many runs


@dataclass(frozen=True)
class RunInfo:
    """One run: its state, and whether its end is announced."""

    id: str
    state: RunState
    turn_no: int | None
    announced: bool
    profile: str = ""

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def has_begun(self) -> bool:
        """Live, or put back into the queue after its turn had begun (R7)."""
        return self.state in LIVE or (self.is_open and self.turn_no is not None)


@dataclass(frozen=True)
class Conversation:
    """A session at one moment. `messages`: the newest, in order, without prompts of queued runs.
    `title`: None as long as it has none. `ends`: of those turns that were not answered."""

    runs: dict[str, RunInfo] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
    total: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    queue: list[Message] = field(default_factory=list)
    title: str | None = None
    ends: list[Message] = field(default_factory=list)

    @property
    def profile(self) -> str:
        """The profile of the newest run; empty without runs."""
        newest = next(reversed(self.runs.values()), None)
        return newest.profile if newest is not None else ""

    @property
    def first_in_line(self) -> str | None:
        """The run that waits for a slot, not for another run of the session; None without one."""
        if any(run.state in LIVE for run in self.runs.values()) or not self.queue:
            return None
        return str(self.queue[0]["run_id"])

    def unannounced_runs(self) -> list[str]:
        """Return the ended runs whose ends are not announced."""
        return [r.id for r in self.runs.values() if not r.is_open and not r.announced]


def read_conversation(tx: Session, owner: str, session_id: str, limit: int = PAGE) -> Conversation:
    """Read the session, with at most `limit` messages; empty if there is none."""
    here = {"of_owner": owner, "of_session": session_id}
    sums = tx.connection().execute(_SUMS, here).one()
    runs = recent_runs(tx, owner, session_id)
    some_wait = any(run.is_open and not run.has_begun for run in runs.values())
    messages = _messages(tx, owner, session_id, limit) if limit else []
    return Conversation(
        runs=runs,
        messages=messages,
        total=sums.total,
        input_tokens=int(sums.input_tokens),
        output_tokens=int(sums.output_tokens),
        queue=waiting(tx, owner, session_id) if some_wait else [],
        title=sums.title,
        ends=read_bad_ends(tx, owner, messages),
    )


def recent_runs(tx: Session, owner: str, session_id: str) -> dict[str, RunInfo]:
    """Return all open runs of the session and the newest ended ones, in the order of the queue."""
    rows = tx.connection().execute(_RECENT, {"of_owner": owner, "of_session": session_id})
    return {row.id: _run(row) for row in rows}


def live_sessions(tx: Session) -> set[tuple[str, str]]:
    """Return owner and id of the sessions that have a live run, at most LIVE_MOST of them."""
    return {(row.owner, row.session_id) for row in tx.connection().execute(_LIVE)}


def waiting(tx: Session, owner: str, session_id: str) -> list[Message]:
    """Return `[{run_id, input, created_at}]` of queued runs whose turn has not begun, in order."""
    here = {"of_owner": owner, "of_session": session_id}
    rows = tx.connection().execute(_WAITING, here).all()
    return [
        {"run_id": row.id, "input": input_text(row.input)[:SHOWN], "created_at": row.created_at}
        for row in rows
    ]


def read_run(tx: Session, owner: str, run_id: str) -> Conversation:
    """Read a run without session as a conversation of one turn (R32); empty for other owners."""
    row = tx.scalar(
        select(RunRow).where(
            RunRow.id == run_id, RunRow.owner == owner, RunRow.session_id.is_(None)
        )
    )
    if row is None:
        return Conversation()
    info = _run(row)
    texts = [("user", input_text(row.input)), ("assistant", row.output or "")]
    messages: list[Message] = [
        {
            "id": f"{run_id}:{role}",
            "role": role,
            "content": text,
            "reasoning": "",
            "timestamp": row.created_at if role == "user" else row.ended_at,
        }
        for role, text in texts
        if role == "user" or (text and info.state in ENDED)
    ]
    return Conversation(runs={row.id: info}, messages=messages, total=len(messages))


# As the index of the live runs says it.
_LIVE: Any = (
    select(RunRow.owner, RunRow.session_id)
    .where(RunRow.state.in_(constants(LIVE)), RunRow.session_id.is_not(None))
    .limit(LIVE_MOST)
)
_WAITING: Any = (
    select(RunRow.id, RunRow.input, RunRow.created_at)
    .where(
        RunRow.owner == bindparam("of_owner"),
        RunRow.session_id == bindparam("of_session"),
        RunRow.state == constant(RunState.QUEUED),
        RunRow.turn_no.is_(None),
    )
    .order_by(RunRow.queue_no)
)


def _recent() -> Any:
    """One statement, so that all rows are of one moment."""
    mine = (RunRow.owner == bindparam("of_owner"), RunRow.session_id == bindparam("of_session"))
    newest = (
        select(RunRow.queue_no)
        .where(*mine)
        .order_by(RunRow.queue_no.desc())
        .limit(ENDED_RUNS)
        .subquery()
    )
    first = select(func.min(newest.c.queue_no)).scalar_subquery()
    return (
        select(RunRow.id, RunRow.state, RunRow.turn_no, RunRow.announced_at, RunRow.profile)
        .where(*mine, (RunRow.queue_no >= first) | RunRow.state.in_(constants(OPEN)))
        .order_by(RunRow.queue_no)
    )


_RECENT = _recent()


def _run(row: Row[Any] | RunRow) -> RunInfo:
    announced = row.announced_at is not None
    return RunInfo(row.id, RunState(row.state), row.turn_no, announced, row.profile)


_OWNER = bindparam("of_owner", type_=String)
_SESSION = bindparam("of_session", type_=String)
_SHOWN = (
    MessageRow.owner == _OWNER,
    MessageRow.session_id == _SESSION,
    MessageRow.turn_no.is_not(None),
    MessageRow.role.in_(constants(("user", "assistant", "tool"))),
)


def _sums() -> Any:
    """All that is one value of the session: a statement costs more than what it counts."""
    input_tokens, output_tokens = context_sums(_OWNER, _SESSION)
    here = (SessionRow.owner == _OWNER, SessionRow.id == _SESSION)
    return select(
        input_tokens.label("input_tokens"),
        output_tokens.label("output_tokens"),
        select(func.count()).where(*_SHOWN).scalar_subquery().label("total"),
        select(SessionRow.title).where(*here).scalar_subquery().label("title"),
    )


_SUMS = _sums()

_MESSAGES: Any = (
    select(*MESSAGE_COLUMNS)
    .where(*_SHOWN)
    .order_by(MessageRow.turn_no.desc(), MessageRow.idx.desc(), MessageRow.id.desc())
    .limit(bindparam("most", type_=Integer))
)


def _messages(tx: Session, owner: str, session_id: str, limit: int) -> list[Message]:
    here = {"of_owner": owner, "of_session": session_id, "most": limit}
    rows = tx.connection().execute(_MESSAGES, here).all()
    return [message(row) for row in reversed(rows)]
