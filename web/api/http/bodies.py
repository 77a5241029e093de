"""Reads bodies and queries of requests: strict JSON of a bounded size, checked by a model."""

from collections.abc import Mapping
from typing import Any, Final, TypeVar

import orjson
from flask import request
from pydantic import BaseModel, ValidationError

from shared.conversation.content import clean_text
from web.api.http.errors import ApiError

M = TypeVar("M", bound=BaseModel)

MAX_BYTES: Final = 8_000_000  # of a body; gateways take 10 MB, with the history


def body_of(model: type[M]) -> M:
    """The body of the current request, checked. Raises ApiError."""
    return checked(model, json_object())


def json_object() -> dict[str, Any]:
    """The object in the body of the current request. Raises ApiError."""
    # A page of another origin can send any other type without asking first.
    if request.mimetype != "application/json":
        raise ApiError(415, "unsupported_media_type", "Send the body as application/json.")
    try:
        found = orjson.loads(_read())
    except orjson.JSONDecodeError:
        raise ApiError(400, "invalid_json", "The body is not JSON.") from None
    if not isinstance(found, dict):
        raise ApiError(400, "invalid_json", "The body is not a JSON object.")
    return found


def _read() -> bytes:
    """The body, whether its length was announced or it comes in chunks."""
    length = request.content_length
    if length is not None and length <= MAX_BYTES:
        return request.get_data(cache=False)
    chunked = length is None and "chunked" in request.headers.get("Transfer-Encoding", "").lower()
    body: bytes = request.environ["wsgi.input"].read(MAX_BYTES + 1) if chunked else b""
    if len(body) > MAX_BYTES or (length or 0) > MAX_BYTES:
        raise ApiError(413, "body_too_large", f"The body has more than {MAX_BYTES} bytes.")
    return body


def checked(model: type[M], values: Mapping[str, Any]) -> M:
    """The values as the model has them. Raises ApiError, which names the field."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise _refusal(error) from None
    except RecursionError:
        raise ApiError(400, "invalid_payload", "The body is nested too deeply.") from None


def _refusal(error: ValidationError) -> ApiError:
    """The first fault, without what was sent."""
    fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
    message = fault["msg"].removeprefix("Value error, ")
    field = str(fault["loc"][0]) if fault["loc"] else message.partition(":")[0]
    known = field if field.isidentifier() else None
    text = f"{field}: {message}" if fault["loc"] else message
    return ApiError(400, "invalid_payload", clean_text(text)[:300], param=known)
