"""Waiting for a fact, never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable

LOOK_EVERY = 0.02


def eventually(fact: Callable[[], object], seconds: float = 15.0) -> None:
    """Return once `fact()` is true. Raises AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline, f"not true within {seconds} s"
        time.sleep(LOOK_EVERY)
