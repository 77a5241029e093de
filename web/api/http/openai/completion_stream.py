"""The body of a chat completion's stream: chunks of text, progress of tools, `[DONE]`.

There is no way to go on with one that was cut; the run goes on, and the same request with its
`Idempotency-Key` streams it again from the beginning.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import orjson

from shared.db.runs.run_status import RunStatus
from shared.errors import DatabaseUnavailable
from web.api.http.openai.completion_objects import (
    DONE,
    TOOL_EVENT,
    chunk,
    last_chunks,
    tool_completed,
    tool_started,
)
from web.api.http.openai.following import Event, Follower, Frames, Silence
from web.api.http.openai.response_events import call_id_of
from web.readers.frames import KEEPALIVE
from web.readers.replay import End
from web.readers.stream import RETRY_EVERY
from web.server.http_server import ANSWER_WITHIN, RATE


class CompletionStream:
    """Iterate over it once; `close` when the client has left."""

    def __init__(
        self,
        run: RunStatus,
        follower: Follower,
        *,
        usage_alone: bool,
        read: Callable[[], RunStatus | None],
        within: Callable[[float | None], None],
        cut: Callable[[], None],
    ) -> None:
        """`read`: the run as it is then; `within`: see `EventStream`; `cut` breaks the connection,
        so that no client takes a part of the answer for all of it."""
        self._run = run
        self._follower = follower
        self._usage_alone = usage_alone
        self._read = read
        self._within = within
        self._cut = cut
        self._sent = _Sent(run.id)
        self._chunks = self._all()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        self._within(None)
        made = next(made for made in self._chunks if made)
        self._within(ANSWER_WITHIN + len(made) / RATE)
        return made

    def close(self) -> None:
        """The run goes on."""
        self._follower.close()

    def _all(self) -> Iterator[bytes]:
        yield _data(chunk(self._run, {"role": "assistant"}))
        for step in self._follower:
            match step:
                case Frames():
                    if step.anew:
                        self._sent.begin_again()
                    yield b"".join(map(self._piece, step.events()))
                case End():
                    yield self._unstreamed(step)
                    yield from self._end()
                    return
                case Silence():
                    yield KEEPALIVE
        self._cut()

    def _piece(self, event: Event) -> bytes:
        name, fields = event
        if name == "message.delta":
            text = self._sent.text(fields.get("delta") or "")
            return _data(chunk(self._run, {"content": text})) if text else b""
        if name in ("tool.started", "tool.completed"):
            progress = self._sent.tool(name, fields)
            named = b"event: " + TOOL_EVENT.encode() + b"\n"
            return named + _data(progress) if progress is not None else b""
        return b""

    def _unstreamed(self, end: End) -> bytes:
        """The answer of a run that streamed none."""
        output = end.event.get("output")
        if self._sent.has_text or not isinstance(output, str) or not output:
            return b""
        return _data(chunk(self._run, {"content": output}))

    def _end(self) -> Iterator[bytes]:
        while True:
            try:
                run = self._read()
                break
            except DatabaseUnavailable:
                time.sleep(RETRY_EVERY)
                yield KEEPALIVE
        if run is None:
            self._cut()
            return
        chunks = last_chunks(run, usage_alone=self._usage_alone)
        yield b"".join(map(_data, chunks)) + DONE


class _Sent:
    """What the client has, so that nothing is sent twice when the run is read again."""

    def __init__(self, run_id: str) -> None:
        self._key = run_id.removeprefix("run_")
        self._had = 0  # characters that were sent
        self._said: set[tuple[str, str]] = set()  # status and call that were sent
        self.begin_again()

    def begin_again(self) -> None:
        """The run is read from its beginning."""
        self._characters = 0
        self._calls = 0
        self._open: list[tuple[str, str]] = []  # call and name

    @property
    def has_text(self) -> bool:
        """Whether anything of the answer was sent."""
        return self._had > 0

    def text(self, delta: str) -> str:
        """What of it the client does not have."""
        skipped = max(0, self._had - self._characters)
        self._characters += len(delta)
        self._had = max(self._had, self._characters)
        return delta[skipped:]

    def tool(self, event: str, fields: dict[str, Any]) -> dict[str, Any] | None:
        """What is to be said of it; None if that was said."""
        name, given = fields.get("tool") or "", fields.get("tool_call_id") or ""
        if event == "tool.started":
            self._calls += 1
            call = (given or call_id_of(self._key, self._calls), name)
            self._open.append(call)
            made = tool_started(name, call[0], fields.get("preview") or "")
        else:
            by_id = [call for call in self._open if call[0] == given]
            by_name = [call for call in self._open if call[1] == name]
            found = next(iter(by_id or by_name), None)
            if found is None:
                return None
            call = found
            self._open.remove(call)
            made = tool_completed(name, call[0])
        said = (made["status"], call[0])
        if said in self._said:
            return None
        self._said.add(said)
        return made


def _data(value: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(value) + b"\n\n"
