"""Idempotency keys of `POST /v1/runs`, as newer gateways keep them.

The same request with the same key gets the run that it got before; another request is refused.
"""

from __future__ import annotations

import json
from typing import Any


class KeyConflict(Exception):
    """The key was used with another request."""


class IdempotencyKeys:
    """The runs by the key that they were posted with, while this process lives."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, str]] = {}

    def find(self, key: str, body: dict[str, Any]) -> str | None:
        """The id of the run that this request got before. Raises KeyConflict."""
        request, run_id = self._known.get(key, ("", None))
        if run_id is not None and request != _canonical(body):
            raise KeyConflict
        return run_id

    def keep(self, key: str, body: dict[str, Any], run_id: str) -> None:
        """Remember the run of a request with a key."""
        if key:
            self._known[key] = (_canonical(body), run_id)


def _canonical(body: dict[str, Any]) -> str:
    return json.dumps(body, sort_keys=True)
