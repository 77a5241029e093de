"""A scripted OpenAI-compatible model on loopback: the mind behind the real gateway in tests.

Speaks `POST /v1/chat/completions` (streamed and whole) and `GET /v1/models`. What it answers is
decided by a script (`model_script`). Every request body is kept.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from tests.support.gateways.model_script import Body, Script, Turn, prompt_of

MODEL = "scripted-model"


@dataclass
class ModelServer:
    """The server: `with ModelServer(script) as model: model.url`.

    `by_prompt` maps a piece of the user's text to the script that answers it, so that one server
    can serve many tests at once; the first key contained in the prompt wins, else `script`.
    """

    script: Script = field(default=lambda body: Turn(text=("Hello ", "from ", "the ", "model.")))
    by_prompt: dict[str, Script] = field(default_factory=dict)
    requests: list[Body] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.model = self
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="model-server", daemon=True
        )

    @property
    def url(self) -> str:
        """The base URL that an OpenAI client wants, ending in `/v1`."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop listening and drop the connections; may be called twice."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def asked(self, prompt: str) -> list[Body]:
        """The recorded requests whose latest user message contains `prompt`."""
        return [body for body in list(self.requests) if prompt in prompt_of(body)]

    def answer(self, body: Body) -> Turn:
        """Record one request and decide its answer."""
        self.requests.append(body)
        prompt = prompt_of(body)
        for piece, script in list(self.by_prompt.items()):
            if piece in prompt:
                return script(body)
        return self.script(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256
    model: ModelServer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class's name)
        """Say nothing: tests read `ModelServer.requests`."""

    def do_GET(self) -> None:
        if self.path.rstrip("/").endswith("/models"):
            self._json(200, {"object": "list", "data": [{"id": MODEL, "object": "model"}]})
        else:
            self._json(404, {"error": {"message": "no such path", "type": "not_found"}})

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if not self.path.rstrip("/").endswith("/chat/completions"):
            self._json(404, {"error": {"message": "no such path", "type": "not_found"}})
            return
        body: Body = json.loads(raw)
        turn = self.server.model.answer(body)
        if turn.status != 200:
            self._json(turn.status, {"error": {"message": "scripted", "type": "scripted"}})
        elif body.get("stream"):
            self._stream(turn)
        else:
            self._json(200, _whole(turn))

    def _json(self, status: int, payload: Body) -> None:
        data = json.dumps(payload).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, turn: Turn) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        try:
            for delay, chunk in _chunks(turn):
                if delay:
                    time.sleep(delay)
                self.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
            self.wfile.write(b"data: [DONE]\n\n")
        except (BrokenPipeError, ConnectionResetError):
            return  # the gateway was stopped or killed: no reader is left


def _usage(turn: Turn) -> Body:
    total = turn.prompt_tokens + turn.completion_tokens
    return {
        "prompt_tokens": turn.prompt_tokens,
        "completion_tokens": turn.completion_tokens,
        "total_tokens": total,
    }


def _calls(turn: Turn) -> list[Body]:
    return [
        {
            "index": index,
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": json.dumps(call.arguments)},
        }
        for index, call in enumerate(turn.tools)
    ]


def _head(kind: str) -> Body:
    return {"id": "chatcmpl-1", "object": kind, "created": int(time.time()), "model": MODEL}


def _whole(turn: Turn) -> Body:
    message: Body = {"role": "assistant", "content": "".join(turn.text)}
    if turn.reasoning:
        message["reasoning_content"] = "".join(turn.reasoning)
    if turn.tools:
        message["tool_calls"] = _calls(turn)
    choice = {"index": 0, "message": message, "finish_reason": turn.finish_reason}
    return {**_head("chat.completion"), "choices": [choice], "usage": _usage(turn)}


def _chunks(turn: Turn) -> Iterator[tuple[float, Body]]:
    """The chunks of a streamed answer, each with the pause before it (seconds)."""
    head = _head("chat.completion.chunk")

    def chunk(delta: Body, finish: str | None = None) -> Body:
        return {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    yield 0.0, chunk({"role": "assistant", "content": ""})
    for piece in turn.reasoning:
        yield turn.delay, chunk({"reasoning_content": piece})
    for piece in turn.text:
        yield turn.delay, chunk({"content": piece})
    for call in _calls(turn):
        yield turn.delay, chunk({"tool_calls": [call]})
    yield 0.0, chunk({}, turn.finish_reason)
    yield 0.0, {**head, "choices": [], "usage": _usage(turn)}
