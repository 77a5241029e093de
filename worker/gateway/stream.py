"""A gateway's event stream: bytes to events. It knows SSE and its faults, not what events mean."""

import logging
import time
from collections.abc import Iterator
from typing import Any

import orjson
import requests
from sseclient import SSEClient
from urllib3.exceptions import HTTPError

from shared.content import clean_json
from shared.errors import StreamBroken

log = logging.getLogger(__name__)

READ = 65_536
AT_ONCE = 0.0002  # seconds that a read of what is there may take
FIELD, EVENT_END = b"data: ", b"\n\n"
UNCLEAN = (b"\\u0000", b"\\ud", b"\\uD")  # NUL, surrogates
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class EventStream:
    """Iterate to get the events of each read as a list of dicts, in order, until the gateway
    closes the stream.

    Raises StreamBroken when it breaks, falls silent for longer than the response's read timeout,
    or sends more than `max_event` bytes without an end of event. Junk between events is skipped.
    """

    def __init__(self, response: requests.Response, max_event: int) -> None:
        self._response = response
        self._max_event = max_event
        self._cut = False
        self.last_size = 0  # bytes of the last read
        self.waited = False  # whether they were not there yet when it began

    def __iter__(self) -> Iterator[list[dict[str, Any]]]:
        try:
            for block in self._blocks():
                events = plain_events(block)
                yield any_events(block) if events is None else events
        except (HTTPError, OSError, ValueError, AttributeError) as error:
            # ValueError, AttributeError: urllib3's answers to a read after `cut`.
            raise StreamBroken(f"stream: {type(error).__name__}") from error
        finally:
            self._response.close()
        if self._cut:
            raise StreamBroken("stream: cut")

    def cut(self) -> None:
        """End the iteration from another thread. Closing would leave the reader stuck."""
        self._cut = True
        try:
            self._response.raw.shutdown()
        except (HTTPError, OSError, ValueError, AttributeError, RuntimeError):
            log.debug("stream.cut_late")

    def _blocks(self) -> Iterator[bytes]:
        """Whole events, as many as have arrived: line ends are LF, the last two bytes are two."""
        rest: list[bytes] = []  # the beginning of an event
        size = 0
        ended_in_cr = False
        chunk = self._read().removeprefix(BYTE_ORDER_MARK)
        while chunk:
            if ended_in_cr or b"\r" in chunk:
                ended_in_cr, chunk = chunk.endswith(b"\r"), _with_lf(chunk, ended_in_cr)
            overlap = rest[-1][-1:] if rest else b""
            end = (overlap + chunk).rfind(EVENT_END)
            if end < 0:
                rest.append(chunk)
                size += len(chunk)
                if size > self._max_event:
                    raise StreamBroken("stream: an event is larger than STREAM_MAX_EVENT_BYTES")
            else:
                after = end + len(EVENT_END) - len(overlap)
                yield b"".join([*rest, chunk[:after]])
                rest = [chunk[after:]] if len(chunk) > after else []
                size = len(chunk) - after
            chunk = self._read()
        if rest:
            yield b"".join(rest)

    def _read(self) -> bytes:
        """Whatever bytes are there, b'' at the end: a full buffer would delay tokens."""
        began = time.monotonic()
        chunk: bytes = self._response.raw.read1(READ, decode_content=True)
        self.waited = time.monotonic() - began > AT_ONCE
        self.last_size = len(chunk)
        return chunk


def _with_lf(chunk: bytes, after_cr: bool) -> bytes:
    """The chunk with LF for every line end; the CR before it, if any, has been one already."""
    if after_cr:
        chunk = chunk.removeprefix(b"\n")
    return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def plain_events(block: bytes) -> list[dict[str, Any]] | None:
    """The events of a block in which each is one `data: {…}` line; None for any other block.

    Nearly all are, and this takes a sixth of the time (docs/PERFORMANCE.md).
    """
    if b"\\u" in block and any(escape in block for escape in UNCLEAN):
        return None
    frames = block[len(FIELD) : -len(EVENT_END)].split(EVENT_END + FIELD)
    if not block.startswith(FIELD) or block.count(b"\n") != 2 * len(frames):
        return None
    try:
        events = [orjson.loads(frame) for frame in frames]
    except orjson.JSONDecodeError:
        return None
    return [event for event in events if isinstance(event, dict)]


def any_events(block: bytes) -> list[dict[str, Any]]:
    """The events of a block, whatever its lines are."""
    text = block.decode("utf-8", "replace").encode()
    parsed = [parse(event.data) for event in SSEClient(iter([text])).events()]
    return [event for event in parsed if event is not None]


def parse(data: str) -> dict[str, Any] | None:
    """An event's data as a dict with clean texts; None for anything else (P12)."""
    try:
        event = orjson.loads(data)
    except orjson.JSONDecodeError:
        event = _lenient(data)
    if not isinstance(event, dict):
        return None
    if "\\u0000" in data or "\\ud" in data or "\\uD" in data:
        event = clean_json(event)
    return event if isinstance(event, dict) else None


def _lenient(data: str) -> Any:
    """JSON that orjson refuses: lone surrogates, NaN."""
    import json

    try:
        return clean_json(json.loads(data))
    except (ValueError, RecursionError):
        return None
