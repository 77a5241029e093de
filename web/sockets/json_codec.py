"""The JSON that python-socketio uses: orjson, and the standard library for what orjson refuses."""

import json
from typing import Any

import orjson


def dumps(value: Any, **_: Any) -> str:
    """Compact JSON. Lone surrogates, which orjson cannot write, are escaped."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return json.dumps(value, separators=(",", ":"))


def loads(text: str | bytes, **_: Any) -> Any:
    """The value of a JSON text. Raises ValueError.

    Clients may send lone surrogates as escapes; orjson takes them for an error.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)
