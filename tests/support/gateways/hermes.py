"""The real gateway in tests: the package `hermes-agent`, unchanged, as a process of its own.

Its API server runs on loopback in a home of its own and thinks with a `ModelServer`. Nothing of
it reaches for the network: what would (scanner download, catalog, titles) is switched off.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.support.gateways.hermes_install import NEWEST, HermesError, environment

START_DEADLINE = 60.0  # seconds; 1.5 s is usual, a cold disk on a busy machine takes longer
STOP_DEADLINE = 15.0  # seconds from SIGTERM to SIGKILL


def free_port() -> int:
    """A TCP port of the loopback interface that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def config(model_url: str, max_concurrent_runs: int) -> dict[str, Any]:
    """The gateway's config.yaml as an object (JSON is YAML).

    The model is the scripted one; a dangerous command asks (`approvals.mode: manual`) for at most
    30 s; everything that would talk to the network or to the model on its own is off.
    """
    return {
        "model": {
            "default": "scripted-model",
            "provider": "custom",
            "base_url": model_url,
            "api_key": "unused",
            "context_length": 200_000,
        },
        "gateway": {"api_server": {"max_concurrent_runs": max_concurrent_runs}},
        "platform_toolsets": {"api_server": ["terminal"]},
        "approvals": {"mode": "manual", "timeout": 30},
        "security": {"tirith_enabled": False},
        "auxiliary": {"title_generation": {"enabled": False}},
        "memory": {"memory_enabled": False, "user_profile_enabled": False},
        "skills": {"creation_nudge_interval": 0},
        "curator": {"enabled": False},
        "kanban": {"dispatch_in_gateway": False},
        "model_catalog": {"enabled": False},
        "lsp": {"enabled": False},
    }


@dataclass
class HermesGateway:
    """A running gateway. `url` has no trailing slash; `key` is the bearer token."""

    url: str
    key: str
    home: Path
    process: subprocess.Popen[bytes]

    @classmethod
    def start(
        cls,
        model_url: str,
        home: Path,
        *,
        max_concurrent_runs: int = 10,
        env: Mapping[str, str] | None = None,
        settings: Mapping[str, object] | None = None,
        port: int | None = None,
        key: str | None = None,
        version: str = NEWEST,
    ) -> Self:
        """Start `hermes gateway run` in `home` and wait until `/health` answers.

        `home` may be an earlier gateway's (a restart keeps its sessions). `settings` replace whole
        sections of `config`. `port` and `key` are chosen if not given. Raises HermesError with
        the tail of its log if it does not come up.
        """
        hermes = environment(version) / "bin" / "hermes"
        for folder in ("home", "tmp"):
            (home / folder).mkdir(parents=True, exist_ok=True)
        chosen = config(model_url, max_concurrent_runs) | dict(settings or {})
        (home / "config.yaml").write_text(json.dumps(chosen))
        port, key = port or free_port(), key or secrets.token_hex(16)
        with (home / "gateway.out").open("ab") as log:
            process = subprocess.Popen(
                [str(hermes), "gateway", "run"],
                env=_environ(home, port, key) | dict(env or {}),
                cwd=home / "home",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a Ctrl-C at the terminal is for the tests, not for it
            )
        gateway = cls(f"http://127.0.0.1:{port}", key, home, process)
        gateway._await_health()
        return gateway

    @property
    def pid(self) -> int:
        """The process id, which `/health/detailed` reports too."""
        return self.process.pid

    @property
    def log(self) -> str:
        """What it printed so far."""
        return (self.home / "gateway.out").read_text(errors="replace")

    def stop(self) -> None:
        """End it as an operator would (SIGTERM), by force after STOP_DEADLINE; idempotent."""
        family = descendants(self.pid)
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_DEADLINE)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self._bury(family)

    def kill(self) -> None:
        """End it and its tools at once, without a chance to write anything (SIGKILL)."""
        self.process.send_signal(signal.SIGSTOP)  # so that no child is born unseen
        family = descendants(self.pid)
        self.process.kill()
        self._bury(family)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()  # an orderly end takes 6 s; the test that wants one calls stop()

    def _bury(self, family: list[int]) -> None:
        """Its tools run in sessions of their own and would outlive it."""
        self.process.wait(STOP_DEADLINE)
        for pid in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _await_health(self) -> None:
        deadline = time.monotonic() + START_DEADLINE
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=2):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        code = self.process.poll()
        self.kill()
        raise HermesError(f"hermes gateway did not start (exit {code}):\n{self.log[-3000:]}")


def descendants(pid: int) -> list[int]:
    """The living children of a process, their children and so on (none where /proc is missing)."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended since it was listed
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            parents.setdefault(parent, []).append(int(stat.parent.name))
    family = list(parents.get(pid, []))
    for child in family:  # grows while it is walked
        family.extend(parents.get(child, []))
    return family


def _environ(home: Path, port: int, key: str) -> dict[str, str]:
    """A small environment: nothing of the caller's keys or settings leaks into the gateway."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "HOME": str(home / "home"),
        "TMPDIR": str(home / "tmp"),
        "HERMES_HOME": str(home),
        "HERMES_DISABLE_LAZY_INSTALLS": "1",
        "API_SERVER_ENABLED": "true",
        "API_SERVER_HOST": "127.0.0.1",
        "API_SERVER_PORT": str(port),
        "API_SERVER_KEY": key,
    }
