"""Random JSON, and random damage to bytes. Knows nothing of protocols."""

from __future__ import annotations

import json
from random import Random
from typing import Any

TEXTS = (
    "", " ", "a", "session", "run_1", "-", "null", "__proto__", "\x00", "\r\n", "\u202e", "\ud83d",
    "\U0001f600", "é" * 50, "x" * 3000, "../../etc/passwd", "%00", "{}", "[]", "1e999", "NaN",
)  # fmt: skip
NUMBERS: tuple[Any, ...] = (
    0, -1, 1, 2**31, 2**53, 2**63, 2**64, -(2**63) - 1, 10**40, 0.5, -0.0, 1e308,
    float("inf"), float("nan"),
)  # fmt: skip
DEEP = 3000  # levels


def value(rng: Random, depth: int = 3) -> Any:
    """Any JSON value, and some that JSON does not know."""
    kind = rng.randrange(8 if depth else 5)
    if kind == 0:
        return rng.choice((None, True, False))
    if kind in (1, 2):
        return rng.choice(NUMBERS)
    if kind in (3, 4):
        return rng.choice(TEXTS)
    if kind == 5:
        return [value(rng, depth - 1) for _ in range(rng.randrange(5))]
    return {rng.choice(TEXTS): value(rng, depth - 1) for _ in range(rng.randrange(5))}


def text(rng: Random) -> bytes:
    """A JSON text of any value; now and then very deep, or twice the same key."""
    special = rng.randrange(40)
    if special == 0:
        return b"[" * DEEP + b"]" * DEEP
    if special == 1:
        return b'{"a":' * DEEP + b"1" + b"}" * DEEP
    if special == 2:
        return b'{"session_id":"a","session_id":5}'
    return json.dumps(value(rng)).encode("utf-8", "surrogatepass")


def damaged(rng: Random, data: bytes) -> bytes:
    """The data with a few bytes changed, taken out, doubled or added."""
    result = bytearray(data)
    for _ in range(rng.randrange(4)):
        at = rng.randrange(len(result) + 1)
        match rng.randrange(5):
            case 0 if at < len(result):
                result[at] = rng.randrange(256)
            case 1:
                del result[at : at + rng.randrange(1, 9)]
            case 2:
                result[at:at] = result[at : at + rng.randrange(1, 40)]
            case 3:
                result[at:at] = rng.choice((b"\0", b"\xff\xfe", b"9" * 30, b",", b'"', b"\x1e"))
            case _:
                result[at:at] = rng.randbytes(rng.randrange(8))
    return bytes(result)
