"""Turns any JSON of a gateway into values that can be encoded, stored and shown. Pure.

Problem: a gateway may send anything in any field: numbers of any size, NaN, NUL, halves of
characters, nesting of any depth, another type than the one that is expected. One such value, passed
on, fails far away from here: in an encoder, in a transaction, in a browser.
Idea: values are converted by type, where they come in. What is not of its type becomes text where a
person reads it, and is dropped where the program does; either is logged, once for each field.
Invariant: nothing here raises, whatever JSON it is given. What it returns can be encoded by orjson,
has no NUL and no lone surrogate, no integer beyond 64 bits and not more than LEVELS levels.
"""

import json
import logging
import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, TypeVar

from shared.conversation.content import clean_text

T = TypeVar("T")
log = logging.getLogger(__name__)

LEVELS = 32  # of nesting; deeper parts become JSON text
NODES_MOST = 50_000  # values in a value; a larger one becomes JSON text
DEEP_MOST = 4_000  # characters of what became JSON text for one of these reasons
KEY_MOST = 500  # characters of a key
COUNT_MOST = 10**12  # tokens; sums of millions of runs must stay below 2**63
AMOUNT_MOST = 10.0**12  # of money
STAMP_MOST = 2.0**53  # epoch seconds, or milliseconds
NAME_MOST = 255  # characters; columns for ids have no more


def bounded(value: object, levels: int = LEVELS) -> Any:
    """A copy of the value with clean texts. Integers beyond 64 bits become text, numbers that are
    not finite None; what is nested more deeply, or has too many parts, becomes JSON text."""
    try:
        return _copy(value, levels, [NODES_MOST])
    except _TooMany:
        return json_text(value, DEEP_MOST)


class _TooMany(Exception):
    """The value has more parts than NODES_MOST."""


def _copy(value: object, levels: int, left: list[int]) -> Any:
    left[0] -= 1
    if left[0] < 0:
        raise _TooMany
    if isinstance(value, Mapping | list | tuple):
        if levels == 0:
            return json_text(value, DEEP_MOST)
        if isinstance(value, Mapping):
            return {key(k): _copy(item, levels - 1, left) for k, item in value.items()}
        return [_copy(item, levels - 1, left) for item in value]
    return _scalar(value)


def key(value: object) -> str:
    """The key of an object, clean and of bounded length."""
    return clean_text(str(value)[:KEY_MOST])


def _scalar(value: object) -> str | int | float | bool | None:
    if isinstance(value, str):
        return clean_text(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else _digits(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bytes):  # a BLOB of an SQLite file
        return clean_text(value.decode("utf-8", "replace"))
    return None


def _digits(value: int) -> str | None:
    try:
        return str(value)
    except ValueError:  # thousands of digits
        return None


def json_text(value: object, most: int) -> str:
    """The value as JSON text of at most so many characters; cut short it ends in an ellipsis. The
    time that it takes depends on the text that is returned, not on the value."""
    found, size = [""], 0
    try:
        for piece in _ENCODER.iterencode(value):
            found.append(piece[: most - size + 1])
            size += len(piece)
            if size > most:
                break
    except (ValueError, RecursionError):  # integers of thousands of digits; nested too deeply
        size = most + 1
    whole = "".join(found)
    return clean_text(whole if size <= most else whole[: most - 1] + "…")


_ENCODER = json.JSONEncoder(ensure_ascii=False, default=lambda _: None)


# -- texts ---------------------------------------------------------------------------------------


def text(value: object) -> str | None:
    """A text, or a number as text; None for anything else."""
    if isinstance(value, str | bytes):
        found = _scalar(value)
        return found if isinstance(found, str) else None
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = _scalar(value)
        return None if number is None else str(number)
    return None


# -- values of one type; None for any other ------------------------------------------------------


def name(value: object) -> str | None:
    """An id or a name: a text or a number, neither empty nor longer than a column for it."""
    found = text(value)
    return found if found and len(found) <= NAME_MOST else None


def whole_json(value: object) -> str:
    """All of the value as JSON text, bounded as `bounded` does it."""
    return clean_text(json.dumps(bounded(value), ensure_ascii=False))


def stored_json(value: object) -> str | None:
    """A text, or anything else as JSON text, whole. None if it is empty."""
    found = text(value)
    if found is not None or value in (None, [], {}):
        return found or None
    return whole_json(value)


def count(value: object) -> int | None:
    """A number of things: whole, and neither negative nor beyond COUNT_MOST."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= COUNT_MOST else None


def amount(value: object) -> float | None:
    """An amount of money or time: finite, and neither negative nor beyond AMOUNT_MOST."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= AMOUNT_MOST else None


def stamp(value: object) -> float | None:
    """A time in epoch seconds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 < value <= STAMP_MOST else None


def flag(value: object) -> bool | None:
    """True or False, said as such."""
    return value if isinstance(value, bool) else None


def take(
    row: Mapping[str, Any], field: str, convert: Callable[[object], T | None], where: str
) -> T | None:
    """The field, converted; None if it is missing, null, or cannot be. What had to be changed or
    dropped is logged once. `where`: the answer it is in."""
    value = row.get(field)
    if value is None:
        return None
    found = convert(value)
    if found != value and value not in ("", [], {}, 0):
        _note(where, field, type(value).__name__, "dropped" if found is None else "converted")
    return found


@lru_cache(maxsize=500)
def _note(where: str, field: str, kind: str, what: str) -> None:
    """Log it; the cache makes that once in a process."""
    log.warning("gateway.odd_field answer=%s field=%s type=%s %s", where, field, kind, what)
