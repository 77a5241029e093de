"""Sends events of runs, with an offset to sockets that can be recovered (P3)."""

from collections.abc import Collection, Mapping, Sequence

from web.recovery.offset import short
from web.recovery.offset_tracker import OffsetTracker
from web.sockets.emitter_protocol import Deliver, Positions

OffsetTrackers = Mapping[str, OffsetTracker]  # by sid, of the sockets that can be recovered


class OffsetEmitter:
    """A `DeliverRuns`. Never waits, like the emitter behind it. Calls about runs are made under a
    feed's lock."""

    def __init__(self, emitter: Deliver, trackers: OffsetTrackers) -> None:
        self._emitter = emitter
        self._trackers = trackers

    def deliver(self, sids: Collection[str], entry: bytes) -> None:
        """An event that is not of a run: it moves no offset."""
        self._emitter.deliver(sids, entry)

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
        run, seq = short(run_id), last_seq - len(entries)
        for entry in entries:
            seq += 1
            if self._trackers:
                is_end = ended and seq == last_seq
                self._with_offsets(sids, entry, run, f"{run}:{epoch}:{seq}", is_end)
            else:
                self._emitter.deliver(sids, entry)

    def _with_offsets(
        self, sids: Collection[str], entry: bytes, run: str, position: str, is_end: bool
    ) -> None:
        plain: list[str] = []
        by_offset: dict[str, list[str]] = {}
        for sid in sids:
            tracker = self._trackers.get(sid)
            if tracker is None:
                plain.append(sid)
            else:
                offset = tracker.ended(run) if is_end else tracker.advanced(run, position)
                by_offset.setdefault(offset, []).append(sid)
        if plain:
            self._emitter.deliver(plain, entry)
        for offset, group in by_offset.items():
            self._emitter.deliver(group, with_offset(entry, offset))

    def snapshot(
        self,
        sids: Collection[str],
        entry: bytes,
        positions: Positions,
        ended_runs: Sequence[str],
        mark: int = 0,
    ) -> None:
        """See `DeliverRuns`."""
        for sid in list(sids):
            tracker = self._trackers.get(sid)
            if tracker is None:
                self._emitter.deliver([sid], entry)
            else:
                offset = tracker.shown(mark, positions, ended_runs)
                self._emitter.deliver([sid], with_offset(entry, offset))


def with_offset(entry: bytes, offset: str) -> bytes:
    """The encoded event with one more argument."""
    return entry[:-1] + b',"' + offset.encode() + b'"]'
