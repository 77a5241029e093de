"""Entries of a log as the frames of a reader that is at some place. Pure."""

from collections.abc import Sequence

from shared.protocol.events import decode
from web.readers.frames import frame, is_end
from web.readers.place import Place, advance
from web.readers.replay import End

EntryFrames = tuple[Sequence[bytes], Place, End | None]


def entry_frames(
    at: Place, epoch: int, last_seq: int, entries: Sequence[bytes], *, ended: bool
) -> EntryFrames | None:
    """One frame for each entry behind the place, but the end, and the place behind all; None if
    these entries do not continue it. `last_seq`: of the last entry."""
    first = last_seq - len(entries) + 1
    if epoch != at.epoch or first > at.seq + 1 or (ended and last_seq <= at.seq):
        return None
    frames: list[bytes] = []
    end: End | None = None
    place = at
    for seq, entry in enumerate(entries, start=first):
        if seq <= at.seq:
            continue
        name, event = decode(entry)
        place = advance(place, name, event, seq)
        if is_end(name):
            end = End(place, name, event)
        else:
            frames.append(frame(place, name, event))
    return frames, place, end
