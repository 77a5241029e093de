"""What a broken or hostile gateway could send: events and transcripts of the wrong types."""

from __future__ import annotations

from itertools import cycle
from typing import Final

_DEEP: Final = b"[" * 3_000 + b"]" * 3_000
_LONG: Final = b"9" * 5_000

# Bodies of answers with status 200, instead of a session or of its messages. None has an answer: a
# message that could be one would be taken for it.
TRANSCRIPTS: Final = (
    b"",
    b"<html>it works</html>",
    b"null",
    b"[1, 2",
    b'{"object": "list", "data": {"role": "assistant"}}',
    b'{"object": "list", "data": [null, 7, "text", [[]]]}',
    b'{"object": "list", "data": [{"role": 5, "content": {"a": 1}, "tool_calls": "x"}]}',
    b'{"object": "list", "data": [{"role": "user", "content": "\\ud800", "id": 1e999}]}',
    b'{"session": {"input_tokens": -1, "output_tokens": "many", "reasoning_tokens": []}}',
    b'{"data": ' + _DEEP + b"}",
    b'{"data": [{"role": "user", "timestamp": ' + _LONG + b"}]}",
    b"\xff\xfe\x00\x00",
)

# Events that no client can use. None of them ends the run or carries text: a delta that is no text
# would be shown as its JSON.
EVENTS: Final = tuple(
    b"data: " + event + b"\n\n"
    for event in (
        b'{"event": 5}',
        b'{"event": ["message.delta"], "delta": "lost"}',
        b'{"event": "message.delta", "delta": null}',
        b'{"event": "demo.unknown", "value": ' + _DEEP + b"}",
        b'{"event": "reasoning.available", "text": {"a": 1}}',
        b'{"event": "demo.unknown", "timestamp": ' + _LONG + b"}",
        b'{"event": "demo.unknown", "timestamp": 1e999, "run_id": {"": ""}}',
    )
)

_NEXT: Final = cycle(TRANSCRIPTS)


def transcript() -> bytes:
    """The next body in turn."""
    return next(_NEXT)
