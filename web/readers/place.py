"""How far a reader is in a run, as the `id` of an event says it. Pure.

Problem: the entries of a log are numbered, but older ones are replaced by their fold (R29), and a
log whose owner was lost begins a new epoch; a number alone then says nothing of the text that a
reader has. Idea: an id has besides epoch and seq what a reader got so far: characters of the answer
and of the reasoning, tools, the tools that are still open, and a checksum of the answer. So what a
reader lacks of a folded log, of another epoch or of the stored messages can be found, and whether
the text that it has is the beginning of what is there.
Invariant: a place is a function of the run and of the events before it; who has the same events
has the same place.
"""

import re
import zlib
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

_ID: Final = re.compile(
    r"(?a)(\d{1,9})-(\d{1,15})-(\d{1,12})-(\d{1,12})-(\d{1,9})-((?:\d{1,9}(?:\.\d{1,9})*)?)"
    r"-([0-9a-f]{8})"
)
_NUMBER: Final = re.compile(r"(?a)\d{1,15}")


class OpenTool(NamedTuple):
    """A tool that was started and is not completed; `number`: which of the run's tools it is."""

    number: int
    call_id: str
    name: str


class Place(NamedTuple):
    """`text` and `reasoning`: characters; `tools`: how many were started; `checksum`: of the run's
    id and the text."""

    epoch: int
    seq: int
    text: int = 0
    reasoning: int = 0
    tools: int = 0
    open: tuple[OpenTool, ...] = ()
    checksum: int = 0

    @property
    def counts(self) -> tuple[int, int, int, tuple[int, ...], int]:
        """What was received, without the names of tools, which an id does not have."""
        numbers = tuple(tool.number for tool in self.open)
        return self.text, self.reasoning, self.tools, numbers, self.checksum

    def but(self, **changes: Any) -> "Place":
        """The same with other values of these fields."""
        return self._replace(**changes)

    @property
    def id(self) -> str:
        """The place as text."""
        still_open = ".".join(str(tool.number) for tool in self.open)
        counts = f"{self.text}-{self.reasoning}-{self.tools}-{still_open}"
        return f"{self.epoch}-{self.seq}-{counts}-{self.checksum:08x}"


class NoPosition(ValueError):
    """The text is neither an id nor a number."""


def start_of(run_id: str, epoch: int = 1, seq: int = 0) -> Place:
    """Before the first event."""
    return Place(epoch, seq, checksum=zlib.crc32(run_id.encode()))


def parse(text: str) -> Place | int:
    """The place that an id says, or the seq that a number is. Raises NoPosition."""
    if _NUMBER.fullmatch(text):
        return int(text)
    found = _ID.fullmatch(text)
    if found is None:
        raise NoPosition
    epoch, seq, said, thought, tools, still_open, checksum = found.groups()
    numbers = [int(number) for number in still_open.split(".") if number]
    is_ordered = numbers == sorted({*numbers}) and all(1 <= n <= int(tools) for n in numbers)
    if not is_ordered:
        raise NoPosition
    named = tuple(OpenTool(number, "", "") for number in numbers)
    return Place(
        int(epoch), int(seq), int(said), int(thought), int(tools), named, int(checksum, 16)
    )


def advance(place: Place, name: str, event: Mapping[str, Any], seq: int) -> Place:
    """The place behind this event, which has that seq."""
    match name:
        case "message.delta":
            delta = _text(event, "delta")
            checksum = zlib.crc32(delta.encode("utf-8", "replace"), place.checksum)
            return place.but(seq=seq, text=place.text + len(delta), checksum=checksum)
        case "reasoning.delta" | "thinking.delta":
            more = len(_text(event, "text", "delta"))
            return place.but(seq=seq, reasoning=place.reasoning + more)
        case "tool.started":
            number = place.tools + 1
            tool = OpenTool(number, _text(event, "tool_call_id"), _text(event, "tool", "name"))
            return place.but(seq=seq, tools=number, open=(*place.open, tool))
        case "tool.completed":
            done = _completed(place.open, event)
            still = tuple(tool for tool in place.open if tool is not done)
            return place.but(seq=seq, open=still)
    return place.but(seq=seq)


def _completed(tools: tuple[OpenTool, ...], event: Mapping[str, Any]) -> OpenTool | None:
    """Which tool this is the end of: as the fold finds it (`shared/protocol/transcript.py`), or the
    oldest of those whose names are not known."""
    call_id, name = _text(event, "tool_call_id"), _text(event, "tool", "name")
    by_id = [tool for tool in tools if call_id and tool.call_id == call_id]
    by_name = [t for t in tools if t.name == name and not (call_id and t.call_id)]
    nameless = [tool for tool in tools if not tool.name and not tool.call_id]
    return next(iter([*by_id, *by_name, *nameless]), None)


def _text(event: Mapping[str, Any], *names: str) -> str:
    values = (event.get(name) for name in names)
    return next((value for value in values if isinstance(value, str) and value), "")
