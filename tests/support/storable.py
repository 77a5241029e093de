"""Checks that values can be encoded by orjson, stored in both databases, and shown."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, is_dataclass
from typing import Any

import orjson

from worker.gateway.boundary_json import LEVELS


def parts(value: Any, level: int = 0) -> Iterator[tuple[Any, int]]:
    """All values in a value, keys included, with their level."""
    yield value, level
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield key, level
            yield from parts(item, level + 1)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from parts(item, level + 1)


def check(value: Any, levels: int = LEVELS) -> None:
    """It can be encoded, stored and shown."""
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    orjson.dumps(value)
    for part, level in parts(value):
        assert level <= levels
        if isinstance(part, str):
            assert "\x00" not in part
            assert not any("\ud800" <= char <= "\udfff" for char in part)
        elif isinstance(part, float):
            assert math.isfinite(part)
        elif isinstance(part, int):
            assert -(2**63) <= part < 2**63


def check_row(row: Mapping[str, Any]) -> None:
    """As the table has it."""
    check(row)
    for name in ("role", "content"):
        assert type(row[name]) is str
    for name in ("tool_call_id", "tool_name", "finish_reason", "reasoning", "reasoning_details"):
        assert row[name] is None or type(row[name]) is str
    for name in ("reasoning_content", "codex_reasoning_items"):
        assert row[name] is None or type(row[name]) is str
    for name in ("duration", "reasoning_duration"):
        assert row[name] is None or (type(row[name]) is float and 0 <= row[name] < 2**31)
    assert row["error"] is None or type(row["error"]) is bool
    assert row["timestamp"] is None or type(row["timestamp"]) is float
    assert row["tool_calls"] is None or type(row["tool_calls"]) is list
