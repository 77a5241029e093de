"""Starts the bundled demo gateway as a process of its own and speaks to it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import requests

from deploy.demo_gateway import KEY_VARIABLE
from tests.support.paths import ROOT

START_SECONDS = 30.0
TIMEOUT = 30.0

Event = dict[str, Any]


def scripted(**fields: Any) -> str:
    """An input whose script has these fields (deploy/demo_gateway/runs/script.py lists them)."""
    return f"[[demo {json.dumps(fields)}]] please"


class DemoGateway:
    """A running demo gateway: `url`, `key`, `pid`, its faults, its record, its API."""

    MODULE = "deploy.demo_gateway"

    def __init__(self, process: subprocess.Popen[str], url: str, key: str) -> None:
        self.url = url
        self.key = key
        self.pid = process.pid
        self._process = process
        self._http = requests.Session()
        if key:
            self._http.headers["Authorization"] = f"Bearer {key}"

    @classmethod
    def start(cls, *, key: str = "", **options: Any) -> Self:
        """Start one on a free port and wait until it listens.

        `options` are those of the command line: `max_runs=0`, `keepalive=0.2`, `replay=True`,
        `session_delay=0`; `port=N` for a fixed port, to start one again in the same place.
        """
        command = [sys.executable, "-m", cls.MODULE, *_arguments(options)]
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, KEY_VARIABLE: key},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            process.stdout.close()
            raise RuntimeError(f"the demo gateway ended with code {process.wait()}")
        return cls(process, json.loads(line)["url"], key)

    def stop(self) -> int:
        """End the process and give its exit code; harmless when it has ended."""
        return self.signal(signal.SIGTERM)

    def signal(self, number: signal.Signals) -> int:
        """Send a signal that ends the process and give its exit code."""
        self._process.send_signal(number)
        return self._reaped()

    def kill(self) -> None:
        """End the process without a word."""
        self._process.kill()
        self._reaped()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def request(self, method: str, path: str, **fields: Any) -> requests.Response:
        """One HTTP request with the key."""
        fields.setdefault("timeout", TIMEOUT)
        return self._http.request(method, self.url + path, **fields)

    def faults(self, **fields: Any) -> None:
        """Put one fault in force, in addition to those that are (deploy/demo_gateway/faults.py)."""
        answer = self.request("POST", "/demo/faults", json=fields)
        assert answer.status_code == 200, answer.text

    def clear_faults(self) -> None:
        """End all faults."""
        self.request("DELETE", "/demo/faults").raise_for_status()

    def record(self, session_id: str = "") -> dict[str, Any]:
        """What it did: posts, runs, stops, deletes; all, or of one session of the gateway."""
        path = f"/demo/record/{session_id}" if session_id else "/demo/record"
        answer = self.request("GET", path)
        answer.raise_for_status()
        return dict(answer.json())

    def post(self, text: str, **fields: Any) -> str:
        """Start a run and give its id."""
        answer = self.request("POST", "/v1/runs", json={"input": text, **fields})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["run_id"])

    def status(self, run_id: str) -> dict[str, Any]:
        """The pollable status."""
        return dict(self.request("GET", f"/v1/runs/{run_id}").json())

    @contextmanager
    def reading(self, run_id: str, timeout: float = TIMEOUT) -> Iterator[Iterator[bytes]]:
        """The lines of the run's stream, as they come; leaving the block leaves the stream."""
        path = f"{self.url}/v1/runs/{run_id}/events"
        # A connection of its own: this one is closed in the middle of an answer.
        with requests.get(path, headers=self._http.headers, stream=True, timeout=timeout) as got:
            assert got.status_code == 200, got.text
            yield _lines(got)

    def events(self, run_id: str) -> list[Event]:
        """All events of the run, read to the end of the stream."""
        with self.reading(run_id) as lines:
            return [json.loads(line[6:]) for line in lines if line.startswith(b"data: ")]

    def _reaped(self) -> int:
        self._http.close()
        code = self._process.wait(timeout=START_SECONDS)
        if self._process.stdout is not None:
            self._process.stdout.close()
        return code


def _arguments(options: dict[str, Any]) -> Iterator[str]:
    yield from ("--port", str(options.pop("port", 0)))
    for name, value in options.items():
        flag = f"--{name.replace('_', '-')}"
        if value is True:
            yield flag
        elif value is not False:
            yield from (flag, str(value))


def _lines(response: requests.Response) -> Iterator[bytes]:
    """Lines as soon as they are there (iter_lines waits for full chunks)."""
    rest = b""
    while piece := response.raw.read1(65536, decode_content=True):
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines
