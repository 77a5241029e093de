"""Which session a new response is a turn of: below the one that it continues, or a copy of that.

A response goes on in the session of the response before it as long as that is the session's last
run; else it gets a copy of the session up to there, so that two continuations of one response do
not know of each other, as with OpenAI. Both is decided under the session's lock (R11): of two
continuations at once, the first is the next turn, and the second gets the copy.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.orm import Session

from shared.conversation.content import blocks_to_text
from shared.db.clock import DbNow
from shared.db.constants import constants
from shared.db.locks import lock_session
from shared.db.models import MessageRow, ResponseRow, RunRow, SessionRow
from shared.db.responses.records import NewResponse
from shared.db.sessions.fork_session import fork_session
from shared.db.sessions.stored_bytes import change, size_of
from shared.db.sessions.upsert import find_or_make
from shared.errors import NotFound, ResponseInProgress
from shared.protocol.run_states import OPEN

SNAPSHOT_MESSAGES = 500
SNAPSHOT_CHARACTERS = 2_000_000


@dataclass(frozen=True)
class Place:
    """`instructions`: of the response before, for one that has none of its own."""

    session_id: str
    instructions: str | None = None


def place_of(tx: Session, owner: str, new: NewResponse, fresh_id: str) -> Place:
    """The session of the response, locked; `fresh_id` is the id of one that is new.

    Raises NotFound if there is no response of that owner to go on from, and ResponseInProgress if
    it would have to be copied while it is not complete.
    """
    if new.conversation is not None:
        return Place(new.conversation, _last_instructions(tx, owner, new.conversation))
    if new.previous_run_id is None:
        return Place(fresh_id)
    before = _response(tx, owner, new.previous_run_id)
    lock_session(tx, owner, before.session_id)
    before = _response(tx, owner, new.previous_run_id)  # as it is under the lock
    if not _has_later_run(tx, owner, before):
        return Place(before.session_id, before.instructions)
    if before.state in OPEN:
        raise ResponseInProgress
    last = tx.scalar(
        select(MessageRow.id)
        .where(MessageRow.run_id == before.id, MessageRow.turn_no.is_not(None))
        .order_by(MessageRow.idx.desc(), MessageRow.id.desc())
        .limit(1)
    )
    if last is None:
        raise NotFound
    fork_session(tx, owner, before.session_id, fresh_id, up_to=last)
    return Place(fresh_id, before.instructions)


def add_before(
    tx: Session,
    owner: str,
    session_id: str,
    messages: Sequence[dict[str, Any]],
    *,
    profile: str,
    model: str | None,
    text: str,
) -> int:
    """Make these messages a turn of the session, which is made if there is none; return its
    number. `text`: of the prompt that follows, for the title."""
    session, _ = find_or_make(tx, owner, session_id, profile=profile, model=model, text=text)
    assert session is not None
    turn: int = session.next_turn
    rows = [
        {
            "owner": owner,
            "session_id": session_id,
            "turn_no": turn,
            "idx": index,
            "role": message["role"],
            "content": blocks_to_text(message["content"]),
            "content_blocks": content if isinstance(content := message["content"], list) else None,
        }
        for index, message in enumerate(messages)
    ]
    tx.execute(insert(MessageRow).values(timestamp=DbNow()), rows)
    mine = (SessionRow.owner == owner, SessionRow.id == session_id)
    tx.execute(update(SessionRow).where(*mine).values(next_turn=turn + 1))
    change(tx, owner, session_id, sum(map(size_of, rows)))
    return turn


def read_before(tx: Session, owner: str, new: NewResponse) -> tuple[list[dict[str, Any]], Place]:
    """The newest messages of what a response goes on from, for one that is no turn of a session.
    Raises NotFound and ResponseInProgress, as `place_of`."""
    most: int | None = None
    if new.previous_run_id is not None:
        before = _response(tx, owner, new.previous_run_id)
        if before.state in OPEN:
            raise ResponseInProgress
        place, most = Place(before.session_id, before.instructions), before.turn_no
    else:
        assert new.conversation is not None
        place = Place(new.conversation, _last_instructions(tx, owner, new.conversation))
    found = tx.execute(
        select(MessageRow.role, MessageRow.content)
        .where(
            MessageRow.owner == owner,
            MessageRow.session_id == place.session_id,
            MessageRow.role.in_(constants(("user", "assistant"))),
            MessageRow.content != "",
            MessageRow.turn_no.is_not(None) if most is None else MessageRow.turn_no <= most,
        )
        .order_by(MessageRow.turn_no.desc(), MessageRow.idx.desc(), MessageRow.id.desc())
        .limit(SNAPSHOT_MESSAGES)
    )
    messages: list[dict[str, Any]] = []
    size = 0
    for row in found:
        size += len(row.content)
        if size > SNAPSHOT_CHARACTERS:
            break
        messages.append({"role": row.role, "content": row.content})
    return messages[::-1], place


def _response(tx: Session, owner: str, run_id: str) -> Any:
    found: Any = tx.execute(
        select(
            RunRow.id,
            RunRow.session_id,
            RunRow.state,
            RunRow.queue_no,
            RunRow.turn_no,
            RunRow.instructions,
        )
        .join(ResponseRow, ResponseRow.run_id == RunRow.id)
        .where(RunRow.id == run_id, RunRow.owner == owner, RunRow.session_id.is_not(None))
    ).first()
    if found is None:
        raise NotFound
    return found


def _has_later_run(tx: Session, owner: str, before: Row[Any]) -> bool:
    later = select(RunRow.id).where(
        RunRow.owner == owner,
        RunRow.session_id == before.session_id,
        RunRow.queue_no > before.queue_no,
    )
    return tx.scalar(later.limit(1)) is not None


def _last_instructions(tx: Session, owner: str, session_id: str) -> str | None:
    found: str | None = tx.scalar(
        select(RunRow.instructions)
        .join(ResponseRow, ResponseRow.run_id == RunRow.id)
        .where(RunRow.owner == owner, RunRow.session_id == session_id)
        .order_by(RunRow.queue_no.desc())
        .limit(1)
    )
    return found
