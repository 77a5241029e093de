"""A gateway whose answers and events are anything, as the seed in the input of a run says.

Below `/good` it is one without fault, for the runs beside and after. What a run's stream brought in
whole frames before anything broke is noted, since that must be kept.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from random import Random
from typing import Any
from urllib.parse import unquote

from tests.support.gateways.odd_json import Json, body, spoiled, value
from tests.support.gateways.odd_run import Run

SEED = re.compile(r"seed (\d+)")
RETRY = ("1", "0", "-5", "nan", "inf", "Sun Nov  6 08:49:37 1994", "9" * 30, "1, 2", "", "soon")
BAD = (204, 299, 301, 302, 400, 404, 409, 413, 418, 429, 500, 503, 504)
PLACES = ("/x", "http://[", "http://a.invalid/b", "")
FAULTS = (b"", b"zz\r\n", b"5\r\nab", b"-1\r\n")  # of a chunked body


class OddGateway:
    """A server in threads of its own; `url` and `good_url`. End it with `stop`."""

    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}  # by gateway id, and by session
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.gateway = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/odd"
        self.good_url = self.url.replace("/odd", "/good")
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def add(self, seed: int, *, good: bool, eph: str) -> Run:
        """A run that it has."""
        run = Run.planned(seed, good=good, eph=eph)
        self.runs[run.id] = self.runs[eph] = run
        return run

    def take(self, asked: Json, *, good: bool) -> tuple[Run, Any]:
        """The run that was posted, and the answer."""
        found = SEED.search(json.dumps(asked.get("input")))
        run = self.add(int(found.group(1)) if found else 0, good=good, eph=asked["session_id"])
        answer = run.posted()
        told = answer.get("run_id") if isinstance(answer, dict) else None
        if isinstance(told, str):
            self.runs[told] = run
        return run, answer

    def stop(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 100
    gateway: OddGateway

    def handle_error(self, *_: object) -> None:
        """A client that goes away is no error."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""

    def handle_one_request(self) -> None:
        self.random = Random()
        super().handle_one_request()

    def do_GET(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.good = self.path.startswith("/good")
        path = [unquote(part) for part in self.path.partition("?")[0].split("/")[2:]]
        with contextlib.suppress(OSError):
            self._answer(path, sent)

    def do_POST(self) -> None:
        self.do_GET()

    def do_DELETE(self) -> None:
        self.do_GET()

    def _answer(self, path: list[str], sent: bytes) -> None:
        name = path[2] if len(path) > 2 else ""
        if path == ["v1", "runs"]:
            run, answer = self.server.gateway.take(json.loads(sent), good=self.good)
            self._say(answer, run)
        elif path[:2] not in (["v1", "runs"], ["api", "sessions"]) or not name:
            self._say(self._about(path))
        elif (found := self.server.gateway.runs.get(name)) is None:
            self._say({"error": "session not found"}, code=404)
        elif path[3:] == ["events"]:
            self._stream(found)
        elif self.command == "GET":
            what = "status" if path[1] == "runs" else "session"
            self._say(found.said("messages" if path[3:] else what, self.random), found)
        else:
            found.stopped = True
            self._say({"status": "stopping"}, found)

    def _about(self, path: list[str]) -> Any:
        """What it says of itself, and of all sessions."""
        work = {"readiness": {"checks": {"background_queues": {"active_api_runs": 0}}}}
        replay = {"run_events_replay": not self.good and self.random.random() < 0.3}
        about: Json = {"platform": "hermes-agent", "pid": 7, "features": replay, **work}
        if path[:2] == ["api", "sessions"]:
            runs = [run for run in [*self.server.gateway.runs.values()] if run.good == self.good]
            rows = [{"id": run.eph, "started_at": 1.0, "last_active": 1.0} for run in runs[-20:]]
            about = {"data": rows, "has_more": False}
        return about if self.good else spoiled(self.random, about, 0.2)

    def _say(self, what: Any, run: Run | None = None, code: int = 200) -> None:
        odd = run is not None and "codes" in run.odd and self.random.random() < 0.3
        if odd:
            code = self.random.choice(BAD)
            errors: list[Json] = [{name: value(self.random)} for name in ("error", "detail")]
            what = self.random.choice([what, *errors])
        data = body(self.random, what, odd)
        self.send_response(code)
        if odd:
            self.send_header("Retry-After", self.random.choice(RETRY))
            self.send_header("Location", self.random.choice(PLACES))
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, run: Run) -> None:
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        odd = "events" in run.odd
        end = self.random.choice([b"\n\n", b"\r\n\r\n", b"\r\r"]) if odd else b"\n\n"
        breaks = self.random.randrange(20) if "break" in run.odd else -1
        kept: list[str] = []
        for number, (frame, part) in enumerate(run.frames()):
            if number == breaks:
                run.kept = kept
                self.wfile.write(self.random.choice(FAULTS))
                return
            line = frame.replace(b"\n", b" ").replace(b"\r", b" ")
            self._write_chunks(b"data: " + line + end, odd)
            kept += [part] if part else []
            time.sleep(self.random.choice([0, 0, 0, 0, 0.02]))
        self.wfile.write(b"0\r\n\r\n")
        run.kept, run.served = kept, True

    def _write_chunks(self, data: bytes, odd: bool) -> None:
        cuts = {0, len(data)}
        if odd and self.random.random() < 0.3:
            cuts |= {self.random.randrange(len(data)) for _ in range(3)}
        for a, b in pairwise(sorted(cuts)):
            self.wfile.write(b"%x\r\n" % (b - a) + data[a:b] + b"\r\n")
