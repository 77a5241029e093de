"""Reads the body of the current request: strict JSON of a bounded size."""

from typing import Any, Final

import orjson
from flask import request

from shared.errors import ClientError, InvalidPayload

MAX_BYTES: Final = 8_000_000  # gateways take 10 MB, with the history


class NotJson(InvalidPayload):
    """The body is not JSON."""


class OtherType(InvalidPayload):
    """Send the body as application/json."""


class TooLarge(ClientError):
    """The body is larger than this server takes."""

    code = "too_large"


def json_body(most: int = MAX_BYTES) -> Any:
    """What the body says. Raises NotJson, OtherType, and TooLarge beyond `most` bytes."""
    # A page of another origin can send any other type without asking first.
    if request.mimetype != "application/json":
        raise OtherType
    if (request.content_length or 0) > most:
        raise TooLarge(f"The body has more than {most} bytes.")
    try:
        return orjson.loads(request.get_data(cache=False))
    except orjson.JSONDecodeError:
        raise NotJson from None
