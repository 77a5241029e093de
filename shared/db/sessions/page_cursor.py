"""The position after a page of a list of sessions, as clients pass it back. Pure."""

import base64
import binascii
import math
from dataclasses import dataclass

import orjson

from shared.errors import InvalidPayload
from shared.identifiers import LONGEST

_MOST = 2_000  # characters


@dataclass(frozen=True)
class Position:
    """Where the last session of a page stood. It stays valid when that one moves or goes."""

    pinned: bool
    last_active: float
    id: str


def encode(position: Position) -> str:
    """Return the position as a text without characters that a URL would change."""
    values = [position.pinned, position.last_active, position.id]
    return base64.urlsafe_b64encode(orjson.dumps(values)).decode().rstrip("=")


def decode(cursor: str) -> Position:
    """Return the position. Raises InvalidPayload for a text that `encode` does not make."""
    try:
        if len(cursor) > _MOST or not cursor.isascii():
            raise ValueError
        values = orjson.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", True))
    except (ValueError, binascii.Error, orjson.JSONDecodeError):
        raise InvalidPayload("This is no cursor of a list of sessions.") from None
    match values:
        case [bool(pinned), float(active), str(name)] if _is_possible(active, name):
            return Position(pinned, active, name)
    raise InvalidPayload("This is no cursor of a list of sessions.")


def _is_possible(active: float, name: str) -> bool:
    return math.isfinite(active) and 0 < len(name) <= max(LONGEST, 255) and "\0" not in name
