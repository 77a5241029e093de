"""Reads any JSON, as leniently as can be: what is odd in one field must not lose the others. Pure.

Problem: a value may be no JSON by the letter (NaN, a control character, bytes that are no UTF-8),
or one that readers refuse: nested too deeply, a number of thousands of digits. Idea: the fast
reader first; what it refuses is read by the lenient one, and what that refuses for its depth is cut
at DEEPEST levels. Invariant: nothing here raises. Texts may have NUL and lone surrogates, numbers
may be of any size: what comes from outside is cleaned by who takes it.
"""

import json
import re
from typing import Any

import orjson

DIGITS_MOST = 20  # of an integer; more are beyond 64 bits in any case
DEEPEST = 200  # levels that are left of what is nested too deeply to be read
CUT_MOST = 1_000_000  # characters of it; to cut more would take seconds
SHOWN = 4_000  # characters that are left of each part below DEEPEST
_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[{]|[\]}]', re.DOTALL)


def decode(data: bytes | str) -> Any:
    """The JSON value. Integers of more than DIGITS_MOST digits become text; what lies too deep to
    be read, its text, cut short. None for what is no JSON."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        text = data if isinstance(data, str) else _text(data)
    try:
        return _read(text)
    except ValueError:
        return None
    except RecursionError:
        return _cut_and_read(text)


def _text(data: bytes) -> str:
    """The text, in whichever encoding of Unicode; U+FFFD for bytes that are none."""
    encoding = json.detect_encoding(data)
    try:
        return data.decode(encoding, "surrogatepass")  # halves of one character may meet
    except UnicodeDecodeError:
        return data.decode(encoding, "replace")


def _read(text: str) -> Any:
    return json.loads(text.removeprefix("\ufeff"), parse_int=_integer, strict=False)


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= DIGITS_MOST else digits


def _cut_and_read(text: str) -> Any:
    if len(text) > CUT_MOST:
        return None
    try:
        return _read(_without_depths(text))
    except (ValueError, RecursionError):
        return None


def _without_depths(text: str) -> str:
    """The JSON text with a string of JSON in place of each part below DEEPEST levels."""
    kept: list[str] = []
    level = since = 0
    for token in _TOKEN.finditer(text):
        char = token.group()
        if char in "[{":
            level += 1
            if level == DEEPEST + 1:
                kept.append(text[since : token.start()])
                since = token.start()
        elif char in "]}":
            if level == DEEPEST + 1:
                kept.append(json.dumps(text[since : token.end()][:SHOWN]))
                since = token.end()
            level -= 1
    return "".join([*kept, text[since:]])
