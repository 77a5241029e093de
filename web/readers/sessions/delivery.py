"""Gives what a feed delivers to the readers of its session. Never waits.

What continues a turn that a reader has begun is made a frame, once for all readers at one place.
Anything else, above all the first event of a run, is found by opening the reader again
(`catch_up.py`): only the database knows which turn it is.
"""

from collections.abc import Iterable, Sequence

from shared.protocol.events import decode
from web.readers.frames import hint
from web.readers.reader_frames import entry_frames
from web.readers.sessions.follower import Follower, TurnEnd
from web.readers.sessions.session_place import SessionPlace

Made = tuple[bytes, SessionPlace, TurnEnd | None]


def deliver(followers: Iterable[Follower], entry: bytes) -> None:
    """An event of the session, which moves nobody's place."""
    name, event = decode(entry)
    frame = hint(name, event)
    for follower in followers:
        if name == "message.added":
            follower.lose()  # a turn begins; opening the reader again shows it
            continue
        follower.hint(frame)
        if name == "session.deleted":
            follower.delete()


def run_entries(
    followers: Iterable[Follower],
    run_id: str,
    epoch: int,
    last_seq: int,
    entries: Sequence[bytes],
    *,
    ended: bool,
) -> None:
    """Entries of one run; see `DeliverRuns`."""
    made: dict[tuple[int, SessionPlace], Made | None] = {}
    for follower in followers:
        turn = follower.turns.get(run_id)
        if turn is None:
            follower.lose_to(run_id)
            continue
        at = follower.place
        if follower.is_lost or at.has(turn):
            continue
        if (turn, at) not in made:
            made[turn, at] = _made(run_id, turn, at, epoch, last_seq, entries, ended)
        found = made[turn, at]
        if found is None:
            follower.lose()
        else:
            follower.offer(*found)


def _made(
    run_id: str,
    turn: int,
    at: SessionPlace,
    epoch: int,
    last_seq: int,
    entries: Sequence[bytes],
    ended: bool,
) -> Made | None:
    place = at.of(turn)
    found = None
    if place is not None:
        found = entry_frames(place, epoch, last_seq, entries, ended=ended)
    if found is None:
        return None
    frames, place, end = found
    chunk = b"".join(within(at, turn, frames))
    if end is None:
        return chunk, at.at(turn, place), None
    behind = at.done(turn)
    return chunk, behind, TurnEnd(run_id, end, behind)


def within(at: SessionPlace, turn: int, frames: Iterable[bytes]) -> Iterable[bytes]:
    """Frames of a run with the ids that they have in the session."""
    lead = b"id: "
    before = lead + at.before(turn).encode()
    return (before + frame.removeprefix(lead) for frame in frames)
