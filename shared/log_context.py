"""What log lines are about, beside what they say: the run, session and owner of this thread.

It is set where a thread begins to work on something, and goes with its context. Only the JSON
format shows it; the lines of text name what they need.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Final

_BOUND: ContextVar[Mapping[str, str]] = ContextVar("log_context", default={})  # noqa: B039
_RUN_ID: Final = re.compile(r"run_(?P<trace>[0-9a-f]{32})")


def bind(**fields: str | None) -> None:
    """Add these fields to all further lines of this context. None leaves a field out."""
    found = {name: value for name, value in fields.items() if value is not None}
    _BOUND.set({**_BOUND.get(), **found})


def bound() -> Mapping[str, str]:
    """Return the fields of this context."""
    return _BOUND.get()


def trace_of(run_id: str) -> str:
    """Return the trace id of a run, 32 hexadecimal digits. It follows from the id of the run, so
    all processes and owners of it have the same one without telling each other."""
    found = _RUN_ID.fullmatch(run_id)
    return found["trace"] if found else hashlib.sha256(run_id.encode()).hexdigest()[:32]
