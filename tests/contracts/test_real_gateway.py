"""What only the real gateway can show: the death of its process, and what is left after it."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import pytest

from tests.contracts.conftest import client_of
from tests.support.gateways.hermes import HermesGateway, descendants, free_port
from tests.support.gateways.hermes_install import HermesError
from tests.support.gateways.model_script import ToolCall, Turn, calling
from tests.support.gateways.model_server import ModelServer


def test_a_killed_gateway_forgets_its_runs_but_not_its_sessions(
    tmp_path: Path, model: ModelServer, hermes_version: str, hermes_library: Path
) -> None:
    call = ToolCall("terminal", {"command": "sleep 60"})
    model.by_prompt["a long nap"] = calling(call, Turn(text=("awake",)))
    port, key = free_port(), "the-same-key-before-and-after"

    def start() -> HermesGateway:
        return HermesGateway.start(model.url, tmp_path, port=port, key=key, version=hermes_version)

    with start() as first:
        client = client_of(first, hermes_version, model)
        run_id = client.start("Take a long nap", "eph_nap")
        tool = _wait_for_tool(first)
        first.kill()
    _wait_until_gone(tool)
    with start() as second:
        assert second.pid != first.pid
        assert client.call("GET", f"/v1/runs/{run_id}").status == 404
        assert client.call("GET", "/health/detailed").body["pid"] == second.pid
        messages = client.messages("eph_nap")
    if not client.modern:
        assert not messages, "the oldest one writes a turn at its end"
        return
    user, caller, *rest = messages
    assert (user["role"], caller["role"]) == ("user", "assistant")
    assert caller["tool_calls"][0]["function"]["name"] == "terminal"
    assert not rest, "the tool's result was never written"


def _wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 30
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # gone
        while ") Z " not in Path(f"/proc/{pid}/stat").read_text():
            assert time.monotonic() < deadline, f"the tool {pid} outlived its gateway"
            time.sleep(0.02)


def _wait_for_tool(gateway: HermesGateway) -> int:
    """The process id of the tool's `sleep`, once it runs (`tool.started` comes before that)."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for pid in descendants(gateway.pid):
            with contextlib.suppress(OSError):  # it has ended since it was listed
                if Path(f"/proc/{pid}/cmdline").read_bytes() == b"sleep\x0060\x00":
                    return pid
        time.sleep(0.02)
    raise AssertionError(gateway.log)


def test_a_gateway_that_cannot_start_says_why(
    hermes_installed: Path,
    tmp_path: Path,
    model: ModelServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tests.support.gateways.hermes.START_DEADLINE", 5.0)
    with pytest.raises(HermesError, match="Refusing to start: API_SERVER_KEY"):
        HermesGateway.start(model.url, tmp_path, key="short")
