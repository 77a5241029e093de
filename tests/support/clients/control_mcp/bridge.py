"""Runs `hermes-control-mcp` and calls its tools, as a host of MCP does: JSON lines over pipes."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.locked_environment import locked_environment

NAME = "hermes-control-mcp"
LOCK = Path(__file__).parent / f"{NAME}.lock"
PROTOCOL = "2025-06-18"

Result = dict[str, Any]


class Bridge:
    """One running client of the API at `url`. Calls are made one at a time."""

    def __init__(
        self, url: str, key: str, home: Path, *, profile_keys: dict[str, str] | None = None
    ) -> None:
        """`home`: an empty folder for its state. `profile_keys`: name -> key of a profile."""
        profiles = home / "profiles"
        for name, found in (profile_keys or {}).items():
            (profiles / name).mkdir(parents=True)
            (profiles / name / ".env").write_text(f"API_SERVER_KEY={found}\n")
        options = {
            "--api-url": url,
            "--api-key-env": "KEY_OF_THE_API",
            "--state-db": home / "state.db",
            "--profiles-root": profiles,
            "--timeout": 60,
        }
        program = locked_environment(NAME, LOCK) / "bin" / NAME
        self._process = subprocess.Popen(
            [str(program), *(str(word) for option in options.items() for word in option)],
            env={**os.environ, "KEY_OF_THE_API": key, "HOME": str(home)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._numbers = itertools.count(1)
        client = {"name": "tests", "version": "1"}
        self._ask(
            "initialize",
            {"protocolVersion": PROTOCOL, "capabilities": {}, "clientInfo": client},
        )
        self._send({"method": "notifications/initialized"})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def call(self, tool: str, **arguments: object) -> Result:
        """What a tool gives back."""
        answer = self._ask("tools/call", {"name": tool, "arguments": arguments})
        found: Result = json.loads(answer["content"][0]["text"])
        return found

    def _ask(self, method: str, params: dict[str, Any]) -> Result:
        number = next(self._numbers)
        self._send({"id": number, "method": method, "params": params})
        assert self._process.stdout is not None
        for line in self._process.stdout:
            message = json.loads(line)
            if message.get("id") == number:
                assert "result" in message, message
                result: Result = message["result"]
                return result
        raise AssertionError(f"{NAME} ended with {self._process.wait()}")

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        self._process.stdin.flush()
