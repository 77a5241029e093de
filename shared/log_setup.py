"""Logging of a process: named events with fields, one line each, to standard error.

What is logged may come from clients and gateways: names, ids, messages of errors. Whatever it has
inside, it begins no line, so it cannot pass for an entry, has no effect on a terminal, fills no
disk, and shows no password of an address and no token of a header.
"""

import copy
import logging
import re
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final

# Controls of C0 and C1, separators of lines and paragraphs, marks that turn the direction of text,
# halves of characters, which UTF-8 does not have.
_CONTROLS: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_SECRETS: Final = re.compile(
    r"(?P<before>://[^\s/?#@:\[]*:|\bbearer\s+|password=)(?P<secret>[^\s&'\",;]+)", re.IGNORECASE
)
MOST: Final = 8_000  # characters of one line
MOST_LINES: Final = 400  # of a traceback
_INDENT: Final = "  | "  # before each line of a traceback

_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


def configure(
    role: str, level: str, form: str = "TEXT", lock: Callable[[], Any] = threading.RLock
) -> None:
    """Set up the root logger for a process of this role. `level`, `form`: names, as in LOG_LEVEL
    and LOG_FORMAT. `lock`: in a process that may be green, `runtime.native_lock`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_formatter(role, form))
    # Libraries log in OS threads, too, to which work was offloaded. With green locks the process
    # then waited for ever, if it logged at the same moment.
    handler.lock = lock()
    logging._lock = lock()  # type: ignore[attr-defined]
    logging.basicConfig(level=level, handlers=[handler], force=True)
    sys.excepthook = _log_unhandled
    for noisy in (
        "kombu",
        "celery.worker.strategy",
        "celery.app.trace",
        "urllib3",
        "amqp",
        "celery.beat",
    ):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _formatter(role: str, form: str) -> logging.Formatter:
    if form == "JSON":
        from shared.log_json import JsonFormatter

        return JsonFormatter(role)
    return SafeFormatter(f"%(asctime)s %(levelname)s {role} %(name)s %(message)s")


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
    """Return the text as one line of bounded length, with control characters written out, as in
    `\\x1b` and `\\n`, and without secrets."""
    if len(text) > MOST:
        text = f"{text[:MOST]}… ({len(text) - MOST} more characters)"
    if "://" in text or "earer" in text or "EARER" in text or "assword" in text:
        text = _SECRETS.sub(_hidden, text)
    return visible(text)


def visible(text: str) -> str:
    """Return the text with its control characters written out, and otherwise as it is."""
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _hidden(found: re.Match[str]) -> str:
    """The match without its secret; in an address only what stands before an @ is one."""
    before, secret = found["before"], found["secret"]
    if not before.startswith("://"):
        return f"{before}***"
    _, at, host = secret.rpartition("@")
    return f"{before}***@{host}" if at else found[0]


def _indented(text: str) -> str:
    lines = text.split("\n")
    if len(lines) > MOST_LINES:
        left_out = len(lines) - MOST_LINES
        half = MOST_LINES // 2
        lines = [*lines[:half], f"… ({left_out} more lines)", *lines[-half:]]
    return "\n".join(_INDENT + clean(line) for line in lines)


def _log_unhandled(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    """An exception that ends the process is an entry as well."""
    if issubclass(kind, KeyboardInterrupt):
        return
    logging.getLogger("process").critical("process.crashed", exc_info=(kind, error, trace))
