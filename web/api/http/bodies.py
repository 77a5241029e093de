"""Bodies and queries of requests, checked by a model."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from shared.conversation.content import clean_text
from web.api.http.errors import ApiError
from web.api.request_body import NotJson, OtherType, TooLarge, json_body

M = TypeVar("M", bound=BaseModel)


def body_of(model: type[M]) -> M:
    """The body of the current request, checked. Raises ApiError."""
    return checked(model, json_object())


def json_object() -> dict[str, Any]:
    """The object in the body of the current request. Raises ApiError."""
    try:
        found = json_body()
    except OtherType as error:
        raise ApiError(415, "unsupported_media_type", str(error)) from None
    except TooLarge as error:
        raise ApiError(413, "body_too_large", str(error)) from None
    except NotJson as error:
        raise ApiError(400, "invalid_json", str(error)) from None
    if not isinstance(found, dict):
        raise ApiError(400, "invalid_json", "The body is not a JSON object.")
    return found


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
