"""What a client says that it has of a run, and what it lacks then. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.db.sessions.read import Conversation
from shared.event_log.types import LogView
from web.payloads import ResumePayload


@dataclass(frozen=True)
class ResumeCursor:
    """The last entry of a run that the client has."""

    run_id: str
    epoch: int
    after_seq: int


@dataclass(frozen=True)
class Replay:
    """The entries that a client lacks; `log`: where they are from."""

    log: LogView
    entries: Sequence[bytes]


def cursor_of(payload: ResumePayload) -> ResumeCursor | None:
    """The cursor of a request, if it has one."""
    if payload.run_id is None or not payload.has_cursor:
        return None
    return ResumeCursor(payload.run_id, payload.epoch or 0, payload.after_seq or 0)


def replay_after(
    cursor: ResumeCursor | None,
    conversation: Conversation,
    views: Sequence[LogView],
    burst: int,
) -> Replay | None:
    """The entries after the client's cursor. None if they would not bring the client up to date:
    another epoch, a trimmed log, more than `burst` entries, or another run since."""
    if cursor is None:
        return None
    replay = None
    for view in views:
        if view.run_id == cursor.run_id and view.epoch == cursor.epoch:
            begins_after = view.first - 1
            if begins_after <= cursor.after_seq <= view.head:
                missed = view.entries[cursor.after_seq - begins_after :]
                replay = Replay(view, missed) if len(missed) <= burst else None
    if _has_begun_since(cursor.run_id, conversation, views):
        replay = None  # the cursor says nothing of the runs after its own
    return replay


def _has_begun_since(run_id: str, conversation: Conversation, views: Sequence[LogView]) -> bool:
    """Whether another run of the session has begun after this one."""
    turns = {run.id: run.turn_no for run in conversation.runs.values() if run.turn_no is not None}
    newest = max(turns, key=lambda name: turns[name], default=run_id)
    return newest != run_id or any(v.run_id != run_id and not v.ended for v in views)
