"""How much of a gateway's event stream a log has, and what a replay of it adds (R1). Pure.

Problem: a gateway that replays a stream sends it from the start again. Its events cannot be matched
with the log's one by one: the log merges deltas, may begin with a checkpoint, and the replay may be
cut into deltas differently.
Idea: count what the log has of the stream: characters of deltas, and number of other events. Both
only grow, do not depend on how deltas are cut, and are stored in the checkpoint. Of a replay, leave
out as many characters and events, and pass on the rest.
Invariant: log plus rest is the stream, without gap or repetition. An event that comes while the
other count is not used up shows that it is another stream: StreamBroken. Once the gateway was
polled, the log has text that was counted for no stream: the position is not `certain` any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.errors import StreamBroken
from shared.protocol.events import DELTAS, RESERVED, Payload

REATTACHED = "run.reattached"
POLLING, REPLAY = "polling", "replay"  # values of its field `mode`


def delta_field(payload: Mapping[str, Any]) -> str:
    """The field that holds a delta's text (P11): `text` for reasoning, else `delta`."""
    return "text" if "text" in payload else "delta"


@dataclass
class StreamPosition:
    """Characters of deltas and number of other events that came from the stream.

    `certain` is False once the gateway was polled: what that added was not counted as the stream's.
    """

    characters: int = 0
    others: int = 0
    certain: bool = True

    def count(self, name: str, payload: Mapping[str, Any]) -> None:
        """Advance by one event of the log. Events that Holdfast adds itself do not count."""
        if name in DELTAS:
            self.characters += len(payload[delta_field(payload)])
        elif name not in RESERVED:
            self.others += 1
        elif name == REATTACHED and payload.get("mode") == POLLING:
            self.certain = False

    def copy(self) -> StreamPosition:
        """An equal position that advances by itself."""
        return StreamPosition(self.characters, self.others, self.certain)

    def to_state(self) -> list[Any]:
        """The position as JSON, for a checkpoint."""
        return [self.characters, self.others, self.certain]

    @classmethod
    def from_state(cls, state: list[Any] | None) -> StreamPosition:
        """The position of a checkpoint; None, of an older version's: one that is not certain."""
        return cls(*state) if state is not None else cls(certain=False)


class ReplayFilter:
    """Leaves out of a replayed stream what the log has already."""

    def __init__(self, known: StreamPosition) -> None:
        """`known`: the position of the log when the replay begins."""
        self._characters = known.characters
        self._others = known.others

    def new_part(self, name: str, payload: Payload) -> Payload | None:
        """The event without what the log has of it; None if that is all. Raises StreamBroken if the
        replay is of another stream than the one that was read before."""
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
