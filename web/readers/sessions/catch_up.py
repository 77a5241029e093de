"""Gives a reader of a session what it lacks, piece by piece, and then a place in the feed (R26).

Problem: a reader may lack hundreds of turns, of which each may be long; and what was and what
follows must meet without a gap. Idea: turns that have ended cannot change, so they are read one
after the other, each when the client has read the one before. When only the live turn is left, the
reader is opened as one of a run is (`web/readers/opening.py`): under the feed's lock the present
members are brought to the heads of the logs, and it becomes a member behind them. If a turn ended
meanwhile, it is read first. What the reader has is in its place alone, so the same steps serve one
that comes back, and one that lost its way or meets a new turn.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from sqlalchemy.orm import Session

from shared.db.database import Database
from shared.db.runs.run_status import RunStatus, read_status
from shared.db.sessions.message_json import shortened
from shared.db.sessions.read import RunInfo
from shared.db.sessions.session_info import get
from shared.db.sessions.turns import TurnOfRun, last_turn, turns_after
from shared.edit_session import state_of
from shared.protocol.run_states import ENDED
from web.readers.frames import end_hint, frame, hint
from web.readers.opening import Opening
from web.readers.place import start_of
from web.readers.replay import BeyondTheEnd
from web.readers.sessions.delivery import within
from web.readers.sessions.follower import Follower, TurnEnd
from web.readers.sessions.session_place import SessionPlace
from web.relay.feed import Feed
from web.relay.feed_address import FeedAddress
from web.relay.relay import Relay
from web.resume.log_state import misses_end
from web.resume.membership import Membership
from web.resume.session_reader import SessionReader
from web.resume.session_snapshot import disagree

TRIES: Final = 5  # to read rows and logs of one moment


@dataclass
class Piece:
    """What a reader is sent next, and where it is then. `is_live`: it has all that is there, and is
    offered what follows."""

    place: SessionPlace
    items: list[bytes | TurnEnd] = field(default_factory=list)
    is_live: bool = False


class CatchUp:
    """Any thread may call any method. All raise NotFound if there is no session, and
    DatabaseUnavailable."""

    def __init__(
        self,
        *,
        db: Database,
        relay: Relay,
        membership: Membership,
        sessions: SessionReader,
        opening: Opening,
    ) -> None:
        self._db = db
        self._relay = relay
        self._membership = membership
        self._sessions = sessions
        self._opening = opening

    def state(self, owner: str, session_id: str) -> bytes:
        """The frame that shows the session as it is now."""
        info = self._db.read(lambda tx: get(tx, owner, session_id))
        return hint("session.updated", {"session_id": session_id, **state_of(info)})

    def check(self, owner: str, session_id: str, place: SessionPlace) -> None:
        """Raise BeyondTheEnd if the session has not come so far."""
        last = self._db.read(lambda tx: last_turn(tx, owner, session_id))
        if place.turn > last:
            raise BeyondTheEnd

    def now(self, owner: str, session_id: str) -> SessionPlace:
        """The place before the live turn, or behind the last one."""
        runs = self._sessions.runs(FeedAddress(owner, session_id))
        last = self._db.read(lambda tx: last_turn(tx, owner, session_id))
        live = [run.turn_no for run in runs.values() if run.has_begun and run.turn_no is not None]
        return SessionPlace(min([last, *(turn - 1 for turn in live)]))

    def next(self, follower: Follower) -> Piece:
        """What the reader lacks next; it is behind that then. Raises RedisUnavailable."""
        address = FeedAddress(follower.connection.owner, follower.session_id)
        for tries_left in count(TRIES, -1):
            piece = self._ended(follower, self._turns(follower))
            if piece is not None:
                follower.place = piece.place
                return piece
            piece = self._join(follower, address, one_moment=tries_left > 0)
            if piece is not None:
                return piece
        raise AssertionError("unreachable")

    def end_frame(self, follower: Follower, end: TurnEnd) -> bytes:
        """The frame of the end of a turn."""
        owner = follower.connection.owner
        return self._opening.end_frame(owner, end.run_id, end.end, end.place)

    def _turns(self, follower: Follower) -> list[tuple[TurnOfRun, RunStatus]]:
        """The turns that the reader lacks, or has in part."""
        owner, at = follower.connection.owner, follower.place
        also = [turn for turn, _ in at.begun]

        def read(tx: Session) -> list[tuple[TurnOfRun, RunStatus]]:
            get(tx, owner, follower.session_id)
            turns = turns_after(tx, owner, follower.session_id, at.turn, also)
            found = ((turn, read_status(tx, owner, turn.run_id)) for turn in turns)
            return [(turn, run) for turn, run in found if run is not None]

        return self._db.read(read)

    def _ended(
        self, follower: Follower, turns: Sequence[tuple[TurnOfRun, RunStatus]]
    ) -> Piece | None:
        """The first turn that has ended, behind the beginnings of those before it; None if none
        has."""
        piece = Piece(_without_gone(follower.place, turns))
        for turn, run in turns:
            _begin(piece, follower.session_id, turn)
            if run.state in ENDED:
                self._add_ended(piece, follower.connection.owner, turn, run)
                return piece
        return None

    def _add_ended(self, piece: Piece, owner: str, turn: TurnOfRun, run: RunStatus) -> None:
        start = self._opening.ended(owner, run, piece.place.of(turn.turn))
        piece.items += within(piece.place, turn.turn, start.frames)
        piece.place = piece.place.done(turn.turn)
        if start.end is not None:
            piece.items.append(TurnEnd(run.id, start.end, piece.place))

    def _join(self, follower: Follower, address: FeedAddress, *, one_moment: bool) -> Piece | None:
        """None if there are ended turns to be read first, or, with `one_moment`, if rows and logs
        were read at different moments: a turn that began in between would be missed."""

        def work(
            feed: Feed, found: tuple[dict[str, RunInfo], list[tuple[TurnOfRun, RunStatus]]]
        ) -> Piece | None:
            runs, turns = found
            views = self._relay.logs.read(
                feed, [run.id for run in runs.values() if run.has_begun], whole=False
            )
            self._relay.advance(feed, views)
            is_stale = disagree(runs, views) or misses_end(feed, runs, views)
            if (is_stale and one_moment) or any(run.state in ENDED for _, run in turns):
                return None
            piece = Piece(_without_gone(follower.place, turns), is_live=True)
            for turn, run in turns:
                _begin(piece, follower.session_id, turn)
                if not self._add_live(piece, feed, turn, run):
                    return None
            piece.items += self._never_begun(follower, runs)
            follower.turns = {run.id: turn.turn for turn, run in turns}
            follower.open(piece.place)
            self._membership.admit(feed, follower.connection, runs, views)
            return piece

        return self._relay.with_feed(
            address, lambda: (self._sessions.announced_runs(address), self._turns(follower)), work
        )

    def _add_live(self, piece: Piece, feed: Feed, turn: TurnOfRun, run: RunStatus) -> bool:
        """Whether the log has all that there is of the run."""
        keys = feed.address.keys(run.id)
        start = self._opening.begun(run, keys, piece.place.of(turn.turn))
        cursor = feed.cursors.get(run.id)
        if cursor is not None and cursor.ended and not start.is_over:
            return False
        piece.items += within(piece.place, turn.turn, start.frames)
        piece.place = piece.place.at(turn.turn, start.place)
        if start.is_over:
            piece.place = piece.place.done(turn.turn)
            if start.end is not None:
                piece.items.append(TurnEnd(run.id, start.end, piece.place))
        return True

    def _never_begun(self, follower: Follower, runs: dict[str, RunInfo]) -> list[bytes]:
        """The ends of runs that were cancelled while they waited."""
        asked, follower.unplaced = follower.unplaced, []
        cancelled = [
            run_id
            for run_id in asked
            if run_id in runs and not runs[run_id].is_open and runs[run_id].turn_no is None
        ]
        owner = follower.connection.owner
        found = [
            self._db.read(lambda tx, r=run_id: read_status(tx, owner, r))  # type: ignore[misc]
            for run_id in cancelled
        ]
        return [end_hint(*run.end) for run in found if run is not None and run.end is not None]


def _begin(piece: Piece, session_id: str, turn: TurnOfRun) -> None:
    """Show the prompt of a turn, unless the reader has it."""
    if piece.place.of(turn.turn) is not None:
        return
    piece.place = piece.place.at(turn.turn, start_of(turn.run_id))
    event = {"session_id": session_id, "run_id": turn.run_id, "message": shortened(turn.prompt)}
    piece.items.append(frame(piece.place, "message.added", event))


def _without_gone(
    place: SessionPlace, turns: Sequence[tuple[TurnOfRun, RunStatus]]
) -> SessionPlace:
    """Without the turns whose runs were cancelled after they had begun: nothing is left of them."""
    there = {turn.turn for turn, _ in turns}
    return SessionPlace(place.turn, tuple(pair for pair in place.begun if pair[0] in there))
