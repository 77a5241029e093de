"""Places in lists, as clients get them: opaque texts. Pure."""

import base64
import binascii

import orjson

from shared.db.runs.run_status import Place
from shared.identifiers import is_identifier
from web.api.http.errors import ApiError


def cursor_of(place: Place) -> str:
    """The text of a place."""
    return base64.urlsafe_b64encode(orjson.dumps(place)).decode().rstrip("=")


def place_of(cursor: str) -> Place:
    """The place that a text stands for. Raises ApiError if it is none of ours."""
    try:
        found = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError):
        found = None
    match found:
        case [float(time) | int(time), str(name)] if is_identifier(name):
            return float(time), name
    raise ApiError(400, "invalid_cursor", "The cursor is none of this server.", param="cursor")
