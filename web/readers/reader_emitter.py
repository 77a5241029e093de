"""Gives what a feed delivers to sockets or to readers, whichever its members are.

An entry is decoded and made a frame once for all readers that are at the same place.
"""

from collections.abc import Collection, Mapping, Sequence

from shared.protocol.events import decode
from web.readers.frames import frame, is_end
from web.readers.place import Place, advance
from web.readers.reader import RunReader
from web.readers.replay import End
from web.sockets.emitter_protocol import DeliverRuns, Positions

Made = tuple[bytes, Place, End | None]


class ReaderEmitter:
    """A `DeliverRuns` before that of sockets. Never waits."""

    def __init__(self, sockets: DeliverRuns, readers: Mapping[str, RunReader]) -> None:
        """`readers`: by sid, as of now."""
        self._sockets = sockets
        self._readers = readers

    def deliver(self, sids: Collection[str], entry: bytes) -> None:
        """An event of the session: readers only end with it."""
        readers, others = self._split(sids)
        if others:
            self._sockets.deliver(others, entry)
        if readers and entry.startswith(b'["session.deleted"'):
            for reader in readers:
                reader.close()

    def run_entries(
        self,
        sids: Collection[str],
        run_id: str,
        epoch: int,
        last_seq: int,
        entries: Sequence[bytes],
        *,
        ended: bool,
    ) -> None:
        """See `DeliverRuns`."""
        readers, others = self._split(sids)
        if others or not readers:
            self._sockets.run_entries(others, run_id, epoch, last_seq, entries, ended=ended)
        made: dict[Place, Made | None] = {}
        for reader in readers:
            if reader.run_id != run_id or reader.is_lost:
                continue
            at = reader.place
            if at not in made:
                made[at] = _frames(at, epoch, last_seq, entries, ended=ended)
            found = made[at]
            if found is None:
                reader.lose()
            else:
                reader.offer(*found)

    def snapshot(
        self,
        sids: Collection[str],
        entry: bytes,
        positions: Positions,
        ended_runs: Sequence[str],
        mark: int = 0,
    ) -> None:
        """A session that is shown anew: readers are opened again at their places."""
        readers, others = self._split(sids)
        if others:
            self._sockets.snapshot(others, entry, positions, ended_runs, mark)
        for reader in readers:
            reader.lose()

    def _split(self, sids: Collection[str]) -> tuple[list[RunReader], Collection[str]]:
        if not self._readers:
            return [], sids
        readers = [reader for sid in sids if (reader := self._readers.get(sid)) is not None]
        if not readers:
            return [], sids
        return readers, [sid for sid in sids if sid not in self._readers]


def _frames(
    at: Place, epoch: int, last_seq: int, entries: Sequence[bytes], *, ended: bool
) -> Made | None:
    """The frames of what follows the place; None if these entries do not continue it."""
    first = last_seq - len(entries) + 1
    if epoch != at.epoch or first > at.seq + 1 or (ended and last_seq <= at.seq):
        return None
    chunks: list[bytes] = []
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
            chunks.append(frame(place, name, event))
    return b"".join(chunks), place, end
