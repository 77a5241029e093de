"""Gives what a feed delivers to sockets or to readers, whichever its members are.

An entry is decoded and made a frame once for all readers that are at the same place.
"""

from collections.abc import Collection, Mapping, Sequence

from web.readers.place import Place
from web.readers.reader import RunReader
from web.readers.reader_frames import entry_frames
from web.readers.readers import AnyReader
from web.readers.replay import End
from web.readers.sessions import delivery
from web.readers.sessions.follower import Follower
from web.sockets.emitter_protocol import DeliverRuns, Positions

Made = tuple[bytes, Place, End | None]


class ReaderEmitter:
    """A `DeliverRuns` before that of sockets. Never waits."""

    def __init__(self, sockets: DeliverRuns, readers: Mapping[str, AnyReader]) -> None:
        """`readers`: by sid, as of now."""
        self._sockets = sockets
        self._readers = readers

    def deliver(self, sids: Collection[str], entry: bytes) -> None:
        """An event of the session: readers of runs only end with it."""
        readers, others = self._split(sids)
        if others:
            self._sockets.deliver(others, entry)
        followers = [reader for reader in readers if isinstance(reader, Follower)]
        if followers:
            delivery.deliver(followers, entry)
        if entry.startswith(b'["session.deleted"'):
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
        followers = [reader for reader in readers if isinstance(reader, Follower)]
        if followers:
            delivery.run_entries(followers, run_id, epoch, last_seq, entries, ended=ended)
        made: dict[Place, Made | None] = {}
        for reader in readers:
            if not isinstance(reader, RunReader) or reader.run_id != run_id or reader.is_lost:
                continue
            at = reader.place
            if at not in made:
                made[at] = _made(at, epoch, last_seq, entries, ended=ended)
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

    def _split(self, sids: Collection[str]) -> tuple[list[AnyReader], Collection[str]]:
        if not self._readers:
            return [], sids
        readers = [reader for sid in sids if (reader := self._readers.get(sid)) is not None]
        if not readers:
            return [], sids
        return readers, [sid for sid in sids if sid not in self._readers]


def _made(
    at: Place, epoch: int, last_seq: int, entries: Sequence[bytes], *, ended: bool
) -> Made | None:
    found = entry_frames(at, epoch, last_seq, entries, ended=ended)
    if found is None:
        return None
    frames, place, end = found
    return b"".join(frames), place, end
