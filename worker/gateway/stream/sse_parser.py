"""Parses server-sent events: bytes to JSON objects, whatever they mean. Pure.

The texts of deltas are clean; whatever else an object has, the boundary takes on.
"""

from typing import Any

import orjson
from sseclient import SSEClient

from shared.any_json import decode
from shared.errors import StreamBroken
from worker.gateway.stream.split_characters import SplitCharacters

FIELD, EVENT_END = b"data: ", b"\n\n"
UNCLEAN = (b"\\u0000", b"\\ud", b"\\uD")  # escapes of NUL and of surrogates
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class EventParser:
    """`feed` it the bytes of a stream as they arrive, and call `end` at its end."""

    def __init__(self, max_event: int) -> None:
        """`max_event`: bytes that may come without an end of event."""
        self._max_event = max_event
        self._rest: list[bytes] = []  # the beginning of an event
        self._size = 0
        self._ended_in_cr = False
        self._begin: bytes | None = b""  # what may be a byte order mark; None once it is decided
        self._characters = SplitCharacters()

    def feed(self, chunk: bytes) -> list[dict[str, Any]]:
        """The events that are complete now, in order. Anything else between them is skipped.

        Raises StreamBroken for an event that is too large.
        """
        if self._begin is not None:
            chunk = self._after_mark(chunk)
        block = self._block(chunk) if chunk else b""
        return self._events(block) if block else []

    def end(self) -> list[dict[str, Any]]:
        """The last event, if no empty line followed it."""
        rest, self._rest = self._rest, []
        return self._events(b"".join(rest)) if rest else []

    def _events(self, block: bytes) -> list[dict[str, Any]]:
        events = plain_events(block)
        if events is not None and not self._characters.waiting:
            return events
        return self._characters.join(any_events(block) if events is None else events)

    def _block(self, chunk: bytes) -> bytes:
        """The whole events that have arrived, with LF as line end, up to an empty line; b"" for
        none."""
        if self._ended_in_cr or b"\r" in chunk:
            chunk, self._ended_in_cr = _with_lf(chunk, self._ended_in_cr), chunk.endswith(b"\r")
            if not chunk:
                return b""
        overlap = self._rest[-1][-1:] if self._rest else b""
        end = (overlap + chunk).rfind(EVENT_END)
        if end < 0:
            self._rest.append(chunk)
            self._size += len(chunk)
            if self._size > self._max_event:
                raise StreamBroken("stream: an event is larger than STREAM_MAX_EVENT_BYTES")
            return b""
        after = end + len(EVENT_END) - len(overlap)
        block = b"".join([*self._rest, chunk[:after]])
        self._rest = [chunk[after:]] if len(chunk) > after else []
        self._size = len(chunk) - after
        return block

    def _after_mark(self, chunk: bytes) -> bytes:
        """The chunk without the byte order mark, which may come in several reads."""
        begin = (self._begin or b"") + chunk
        if len(begin) < len(BYTE_ORDER_MARK) and BYTE_ORDER_MARK.startswith(begin):
            self._begin = begin
            return b""
        self._begin = None
        return begin.removeprefix(BYTE_ORDER_MARK)


def _with_lf(chunk: bytes, after_cr: bool) -> bytes:
    """The chunk with LF for every line end. `after_cr`: the chunk before ended in a CR, so a LF at
    the beginning of this one is no further line end."""
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
    """The events of any block; no text of theirs is clean yet."""
    text = block.decode("utf-8", "replace").encode()
    parsed = [_object(event.data) for event in SSEClient(iter([text])).events()]
    return [event for event in parsed if event is not None]


def _object(data: str) -> dict[str, Any] | None:
    event = decode(data)
    return event if isinstance(event, dict) else None
