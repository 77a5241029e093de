"""Logging of a process: named events with fields, one line each, to standard error.

What is logged may come from clients and gateways: names, ids, messages of errors. Whatever it has
inside, it begins no line, so it cannot pass for an entry, and has no effect on a terminal.
"""

import copy
import logging
import re
import sys
from types import TracebackType
from typing import Final

# Controls of C0 and C1, separators of lines and paragraphs, marks that turn the direction of text.
_CONTROLS: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)
_INDENT: Final = "  | "  # before each line of a traceback

_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


def configure(role: str, level: str) -> None:
    """Set up the root logger for a process of this role. `level`: a name, as in LOG_LEVEL."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(SafeFormatter(f"%(asctime)s %(levelname)s {role} %(name)s %(message)s"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in (
        "kombu",
        "celery.worker.strategy",
        "celery.app.trace",
        "urllib3",
        "amqp",
        "celery.beat",
    ):
        logging.getLogger(noisy).setLevel(logging.WARNING)


class SafeFormatter(logging.Formatter):
    """Formats an entry as one line, and its traceback as lines that are indented."""

    def format(self, record: logging.LogRecord) -> str:
        own = copy.copy(record)
        own.exc_text = None  # another formatter may have left its own there
        return super().format(own)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        return clean(super().formatMessage(record))

    def formatException(self, ei: _ExcInfo) -> str:  # noqa: N802
        return _indented(super().formatException(ei))

    def formatStack(self, stack_info: str) -> str:  # noqa: N802
        return _indented(super().formatStack(stack_info))


def clean(text: str) -> str:
    """Return the text with its control characters written out, as in `\\x1b` and `\\n`."""
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _indented(text: str) -> str:
    return "\n".join(_INDENT + clean(line) for line in text.split("\n"))
