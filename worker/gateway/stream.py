"""A gateway's event stream: bytes to events. It knows SSE and its faults, not what events mean."""

import logging
from codecs import getincrementaldecoder
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


class EventStream:
    """Iterate to get events as dicts, in order, until the gateway closes the stream.

    Raises StreamBroken when it breaks, falls silent for longer than the response's read timeout,
    or sends more than `max_event` bytes without an end of event. Junk between events is skipped.
    """

    def __init__(self, response: requests.Response, max_event: int) -> None:
        self._response = response
        self._max_event = max_event
        self._since_event = 0
        self._cut = False

    def __iter__(self) -> Iterator[dict[str, Any]]:
        try:
            for event in SSEClient(self._chunks()).events():
                self._since_event = 0
                parsed = parse(event.data)
                if parsed is not None:
                    yield parsed
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

    def _chunks(self) -> Iterator[bytes]:
        """What sseclient reads: valid UTF-8 without a byte order mark, of which it would take the
        one for an error of the whole stream and the other for a part of the first field."""
        decoder = getincrementaldecoder("utf-8")("replace")
        begun = False
        while chunk := self._read():
            if chunk.isascii() and not decoder.getstate()[0]:
                begun = True
                yield chunk
                continue
            text = decoder.decode(chunk)
            yield (text if begun else text.removeprefix("\ufeff")).encode()
            begun = begun or bool(text)

    def _read(self) -> bytes:
        """Whatever bytes are there, b'' at the end: a full buffer would delay tokens."""
        chunk: bytes = self._response.raw.read1(READ, decode_content=True)
        self._since_event += len(chunk)
        if self._since_event > self._max_event:
            raise StreamBroken("stream: an event is larger than STREAM_MAX_EVENT_BYTES")
        return chunk


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
