"""What relay, resume and requests need of an emitter. Tests record instead of sending."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

Positions = Mapping[str, tuple[int, int]]  # run id -> epoch and seq of its last entry


class Deliver(Protocol):
    """Queues an encoded event for sockets without waiting."""

    def deliver(self, sids: Collection[str], entry: bytes) -> None: ...


class DeliverRuns(Deliver, Protocol):
    """Knows besides how far in a run an event brings its sockets (P3)."""

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
        """Entries of one run, the last with seq `last_seq`; `ended`: that one is the run's end."""

    def snapshot(
        self,
        sids: Collection[str],
        entry: bytes,
        positions: Positions,
        ended_runs: Sequence[str],
        mark: int = 0,
    ) -> None:
        """A `resumed` or `session.resync`, which shows live runs up to `positions` and the ended
        ones whole. `mark`: of the join that it answers, in the socket's recovery record."""
