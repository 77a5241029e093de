"""Libraries that are found, but not used."""

from __future__ import annotations

import subprocess
import sys

import pytest

from shared.unused_libraries import hidden


def test_a_hidden_library_cannot_be_imported_and_afterwards_can() -> None:
    sys.modules.pop("this", None)
    with hidden("this", "json"), pytest.raises(ImportError):
        import this  # noqa: F401
    assert "this" not in sys.modules
    import json

    assert json is sys.modules["json"]


def test_a_web_process_imports_none_that_it_does_not_use() -> None:
    script = "import sys, web.__main__, engineio.async_client; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert {"flask_socketio", "web.app"} <= loaded
    unused = {"aiohttp", "tornado", "valkey", "requests", "websocket", "opentelemetry.sdk.metrics"}
    assert not (unused | {"alembic", "openai"}) & loaded
