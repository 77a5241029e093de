"""Tells sockets events of runs; those that can be recovered are told where they stand (P3)."""

from collections.abc import Iterable, Mapping, Sequence

from web.recovery.offset import OffsetTracker, short
from web.sockets.delivery import Deliver

OffsetTrackers = Mapping[str, OffsetTracker]  # by sid, of the sockets that can be recovered
Places = Mapping[str, tuple[int, int]]  # run id -> epoch and seq


class OffsetEmitter:
    """Never waits, like the emitter behind it. All calls are made under a feed's lock."""

    def __init__(self, emitter: Deliver, standings: OffsetTrackers) -> None:
        self._emitter = emitter
        self._standings = standings

    def entries(
        self,
        sids: Iterable[str],
        run_id: str,
        epoch: int,
        last: int,
        entries: Sequence[bytes],
        *,
        ended: bool,
    ) -> None:
        """Entries of a run, the last one with seq `last`; `ended`: and that one is its end."""
        run, seq = short(run_id), last - len(entries)
        for entry in entries:
            seq += 1
            self._entry(sids, entry, run, f"{run}:{epoch}:{seq}", ended and seq == last)

    def _entry(self, sids: Iterable[str], entry: bytes, run: str, place: str, is_end: bool) -> None:
        if not self._standings:
            self._emitter.deliver(sids, entry)
            return
        plain: list[str] = []
        by_offset: dict[str, list[str]] = {}
        for sid in sids:
            standing = self._standings.get(sid)
            if standing is None:
                plain.append(sid)
            else:
                offset = standing.ended(run) if is_end else standing.moved(run, place)
                by_offset.setdefault(offset, []).append(sid)
        if plain:
            self._emitter.deliver(plain, entry)
        for offset, group in by_offset.items():
            self._emitter.deliver(group, with_offset(entry, offset))

    def shown(
        self, sids: Iterable[str], entry: bytes, at: Places, over: Sequence[str], mark: int = 0
    ) -> None:
        """A `resumed` or resync that shows the live runs up to `at` and those in `over` whole."""
        for sid in list(sids):
            standing = self._standings.get(sid)
            told = with_offset(entry, standing.shown(mark, at, over)) if standing else entry
            self._emitter.deliver([sid], told)


def with_offset(entry: bytes, offset: str) -> bytes:
    """The encoded event with one more argument."""
    return entry[:-1] + b',"' + offset.encode() + b'"]'
