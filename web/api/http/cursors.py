"""Places in lists, as clients get them: opaque texts. Pure."""

import base64
import binascii
from collections.abc import Sequence
from typing import Any

import orjson

from shared.db.runs.run_status import Place
from shared.identifiers import is_identifier
from web.api.http.errors import ApiError


def cursor_of(place: Place) -> str:
    """The text of a place."""
    return text_of(place)


def place_of(cursor: str) -> Place:
    """The place that a text stands for. Raises ApiError if it is none of ours."""
    match values_of(cursor):
        case [float(time) | int(time), str(name)] if is_identifier(name):
            return float(time), name
    raise ApiError(400, "invalid_cursor", "The cursor is none of this server.", param="cursor")


def text_of(values: Sequence[Any]) -> str:
    """Values as a text without characters that a URL would change."""
    return base64.urlsafe_b64encode(orjson.dumps(values)).decode().rstrip("=")


def values_of(cursor: str) -> Any:
    """The values that a text stands for; None if it is none of ours."""
    try:
        return orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError):
        return None
