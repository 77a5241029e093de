"""JSON of every kind that a gateway should not send: values at random, and how they are written."""

from __future__ import annotations

import json
from dataclasses import dataclass
from random import Random
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Raw:
    """JSON text that no writer of JSON would write."""

    text: str


NUMBERS = (0, -1, 7, 0.1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**30, -0.0)
RAW = ("NaN", "-Infinity", "1e400", "1e308", "9" * 5000, "-" + "1" * 25, '{"a":1,"a":[2]}')
TEXTS = (
    *("", " ", "x", "a\x00b", "\ud83d", "\ude00", "\ud83d\ude00", "7", "null", "..", "a/../b?c"),
    *("completed", "failed", "cancelled", "running", "message.delta", "<|endoftext|>"),
    *("[{'type': 'text', 'text': '\\ud83d \\x00'}]", "Operation interrupted.", "e\u0301\u202e\n\t"),
    '[{"type": "tool_use", "id": "\\ud800", "name": "\\u0000", "input": {"a": 1e999}}]',
)
DEPTHS = (31, 32, 33, 100, 254, 600, 1030, 3000)
BLOCKS = ("text", "tool_use", "tool_result", "thinking", "image", "reasoning.text", "x")
KEYS = ("text", "content", "type", "message", "detail", "id", "a", "\x00", "\udc00", "__class__")


def value(random: Random, levels: int = 3) -> Any:
    """Anything."""
    kind = random.randrange(12)
    if kind < 3 or (levels == 0 and kind > 6):
        return random.choice(TEXTS)
    if kind == 3:
        return random.choice(NUMBERS)
    if kind == 4:
        return Raw(random.choice(RAW))
    if kind == 5:
        return random.choice([None, None, True, False, [], {}])
    if kind == 6:
        return random.choice(["l", "é", "\ud83d"]) * random.choice([300, 5000, 70_000])
    if kind == 7:
        return deep(random)
    if kind == 8:
        return {"type": random.choice(BLOCKS), random.choice(KEYS): value(random, levels - 1)}
    if kind == 9:
        return {random.choice(KEYS): value(random, levels - 1) for _ in range(random.randrange(4))}
    return [value(random, levels - 1) for _ in range(random.choice([1, 2, 3]))]


def deep(random: Random) -> Raw:
    """Something nested deeply."""
    levels = random.choice(DEPTHS)
    begin, end = random.choice([("[", "]"), ('{"k":', "}"), ('[{"x":[', "]}]")])
    return Raw(begin * levels + '"deep"' + end * levels)


def spoiled(random: Random, good: Any, share: float) -> Any:
    """The value with about that share of its parts replaced, removed, or joined by others."""
    if random.random() < share:
        return value(random)
    if isinstance(good, list):
        items = [spoiled(random, item, share) for item in good if random.random() > share / 3]
        return [*items, value(random)] if random.random() < share / 3 else items
    if not isinstance(good, dict):
        return good
    fields = {k: spoiled(random, v, share) for k, v in good.items() if random.random() > share / 3}
    more = {random.choice(KEYS): value(random)} if random.random() < share else {}
    return {**fields, **more}


def written(what: Any) -> str:
    """As JSON text, `Raw` as it is."""
    if isinstance(what, Raw):
        return what.text
    if isinstance(what, dict):
        return "{" + ",".join(f"{json.dumps(k)}:{written(v)}" for k, v in what.items()) + "}"
    if isinstance(what, list):
        return "[" + ",".join(map(written, what)) + "]"
    return json.dumps(what)


def body(random: Random, what: Any, spoil: bool) -> bytes:
    """The bytes of an answer; now and then, if it is to be spoiled, bytes of another kind."""
    data = written(what).encode()
    if not spoil or random.random() > 0.2:
        return data
    at = random.randrange(len(data) + 1)
    return random.choice(
        [
            data[:at],
            data[:at] + b"\xff" + data[at:],
            data[:at] + b"\x00" + data[at:],
            b"\xef\xbb\xbf" + data,
            data.decode().encode("utf-16"),
            data + b"}",
            b"",
            b"<html>502</html>",
            b"[1, 2]",
            b'"text"',
            b"null",
        ]
    )
