"""The log as JSON: one object a line, with the fields of an event as its values (LOG_FORMAT=json).

The fields are read from the format string of the entry (`run.claimed run_id=%s fence=%s`) and its
arguments, so that one call serves both formats. Entries of libraries have a `message` instead.
"""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from shared import log_context
from shared.log_setup import MOST_LINES, clean

_EVENT: Final = re.compile(r"(?P<event>[a-z_]+\.[a-z_%]+)(?: (?P<rest>.*))?", re.DOTALL)
_PLACE: Final = re.compile(r"(?:(?P<name>\w+)=)?%[-#0 +]*\d*(?:\.\d+)?[a-zA-Z]")
_NUMBERS: Final = (bool, int, float)


class JsonFormatter(logging.Formatter):
    """Formats an entry as one line of JSON: ts, level, role, logger, event, and its fields."""

    def __init__(self, role: str) -> None:
        """`role`: of the process."""
        super().__init__()
        self._role = role

    def format(self, record: logging.LogRecord) -> str:
        """Return the line. Never raises: what is no JSON becomes text."""
        entry: dict[str, Any] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "role": self._role,
            "logger": record.name,
            **log_context.bound(),
            **_said(record),
        }
        if isinstance(run_id := entry.get("run_id"), str):
            entry["trace_id"] = log_context.trace_of(run_id)
        if record.exc_info:
            lines = self.formatException(record.exc_info).split("\n")
            entry["exception"] = [clean(line) for line in lines[-MOST_LINES:]]
        return orjson.dumps(entry, default=lambda value: clean(str(value))).decode()


def _said(record: logging.LogRecord) -> dict[str, Any]:
    """The event and its fields; `message` for what has another form."""
    args = record.args if isinstance(record.args, tuple) else ()
    found = _EVENT.fullmatch(str(record.msg))
    places = [*_PLACE.finditer(str(record.msg))]
    if found is None or len(places) != len(args):
        return {"event": "log", "message": clean(record.getMessage())}
    in_event = found["event"].count("%")
    event = found["event"] % tuple(args[:in_event])
    fields: dict[str, Any] = {"event": clean(event)}
    loose = []
    for place, value in list(zip(places, args, strict=True))[in_event:]:
        if place["name"]:
            fields[place["name"]] = _value(value)
        else:
            loose.append(str(value))
    if loose:
        fields["message"] = clean(record.getMessage())
    return fields


def _value(value: object) -> object:
    """A number as it is, all else as clean text; `-` stands for nothing in lines of text."""
    if value is None or value == "-":
        return None
    if isinstance(value, _NUMBERS):
        return value if abs(value) < 2**53 else str(value)
    return clean(str(value))
