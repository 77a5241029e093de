"""How much of a gateway's event stream stands in a log, and what a replay adds to it (R1). Pure.

A log merges deltas and may be cut, so events cannot be counted in it one by one. Characters of
deltas and other events can: both only grow, and the stream is always the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.errors import StreamBroken
from shared.protocol.events import DELTAS, RESERVED, Payload

REATTACHED = "run.reattached"
POLLING, REPLAY = "polling", "replay"  # its modes


def delta_field(payload: Mapping[str, Any]) -> str:
    """The field that holds a delta's text (P11): `text` for reasoning, else `delta`."""
    return "text" if "text" in payload else "delta"


@dataclass
class StreamPosition:
    """Characters of deltas and number of other events that came from the stream.

    `certain` is False once the gateway was asked instead: what that added is none of the stream's.
    """

    characters: int = 0
    others: int = 0
    certain: bool = True

    def count(self, name: str, payload: Mapping[str, Any]) -> None:
        """Take an event of the log into account."""
        if name in DELTAS:
            self.characters += len(payload[delta_field(payload)])
        elif name not in RESERVED:
            self.others += 1
        elif name == REATTACHED and payload.get("mode") == POLLING:
            self.certain = False

    def copy(self) -> StreamPosition:
        """The same place, to go on from."""
        return StreamPosition(self.characters, self.others, self.certain)

    def to_state(self) -> list[Any]:
        """For a checkpoint."""
        return [self.characters, self.others, self.certain]

    @classmethod
    def from_state(cls, state: list[Any] | None) -> StreamPosition:
        """What `to_state` described; of a checkpoint without it, a place that is not certain."""
        return cls(*state) if state is not None else cls(certain=False)


class Replay:
    """Leaves out what is known of a stream that begins again."""

    def __init__(self, known: StreamPosition) -> None:
        self._characters = known.characters
        self._others = known.others

    def rest(self, name: str, payload: Payload) -> Payload | None:
        """What of this event is new; None if nothing. Raises StreamBroken if it is another stream
        than the one that was read."""
        if name in DELTAS and self._characters:
            field = delta_field(payload)
            known = min(self._characters, len(payload[field]))
            self._characters -= known
            payload = {**payload, field: payload[field][known:]}
            if not payload[field]:
                return None
        elif name not in DELTAS and self._others:
            self._others -= 1
            return None
        if self._characters or self._others:
            raise StreamBroken("stream: the replay is not what was read before")
        return payload
