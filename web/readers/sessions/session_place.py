"""How far a reader is in a session, as the `id` of an event says it. Pure.

Problem: runs of a session come one after the other, but one may be put back for another before it
is done, and prompts that wait come in an order that still changes. Idea: a run has the number of
its turn from the moment that it begins, and these numbers go up. So a place is the last turn that
began for the reader, and the turns up to it that are not over yet, each with its place in the run.
Invariant: every turn up to `turn` that is not in `begun` was received whole.
"""

import re
from typing import Final, NamedTuple

from web.readers.place import NoPosition, Place, parse

MOST: Final = 16  # turns that have begun and are not over; more than one is rare
BETWEEN: Final = "~"

_TURN: Final = re.compile(r"(?a)\d{1,9}")


class SessionPlace(NamedTuple):
    """`begun`: turns that are received in part, in the order of their last events."""

    turn: int = 0
    begun: tuple[tuple[int, Place], ...] = ()

    def has(self, turn: int) -> bool:
        """Whether the reader has all of this turn."""
        return turn <= self.turn and self.of(turn) is None

    def of(self, turn: int) -> Place | None:
        """How far it is in a turn that it has in part."""
        return next((place for number, place in self.begun if number == turn), None)

    def at(self, turn: int, place: Place) -> "SessionPlace":
        """The same, but in this turn at this place."""
        return SessionPlace(max(self.turn, turn), (*self._without(turn), (turn, place)))

    def done(self, turn: int) -> "SessionPlace":
        """The same, with all of this turn."""
        return SessionPlace(max(self.turn, turn), self._without(turn))

    def before(self, turn: int) -> str:
        """What an id at a place in this turn has before the id of that place."""
        others = [f"{number}{BETWEEN}{place.id}" for number, place in self._without(turn)]
        return BETWEEN.join([str(max(self.turn, turn)), *others, str(turn), ""])

    @property
    def id(self) -> str:
        """The place as text."""
        parts = [f"{number}{BETWEEN}{place.id}" for number, place in self.begun]
        return BETWEEN.join([str(self.turn), *parts])

    def _without(self, turn: int) -> tuple[tuple[int, Place], ...]:
        return tuple(pair for pair in self.begun if pair[0] != turn)


def parse_session(text: str) -> SessionPlace:
    """The place that an id says; a number is a turn that was received whole, with all before it.
    Raises NoPosition."""
    first, *rest = text.split(BETWEEN)
    turn = _number(first)
    if len(rest) % 2 or len(rest) > 2 * MOST:
        raise NoPosition
    begun = [(_number(a), _place(b)) for a, b in zip(rest[::2], rest[1::2], strict=True)]
    numbers = {number for number, _ in begun}
    if len(numbers) < len(begun) or any(not 0 < number <= turn for number in numbers):
        raise NoPosition
    return SessionPlace(turn, tuple(begun))


def _number(text: str) -> int:
    if not _TURN.fullmatch(text):
        raise NoPosition
    return int(text)


def _place(text: str) -> Place:
    found = parse(text)
    if isinstance(found, int):
        raise NoPosition
    return found
