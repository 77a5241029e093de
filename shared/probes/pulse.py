"""Writes, each second, whether the loops of this process live and whether it can work.

Problem: processes without a port cannot be asked, and what comes through Redis tells of Redis.
Idea: each has a file of its own, which it locks while it runs and writes from a thread of the kind
that its work has: where the hub of green threads stands still, nothing is written.
Invariant: what is said of liveness depends on nothing outside of the process. A process that cannot
write its file works all the same.
"""

import fcntl
import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from shared.probes import systemd
from shared.service import Service

log = logging.getLogger(__name__)

FOLDER: Final = "probes"  # in HOLDFAST_HOME
SIZE: Final = 4096  # bytes of a file; it is written at once and never grows
BEAT_EVERY: Final = 1.0  # seconds
ASK_EVERY: Final = 5.0  # seconds between questions to Redis and the database

Checks = Callable[[], Mapping[str, bool]]


class Pulse:
    """Start it when the process can work; `live` and `ready` give name -> whether it is well."""

    def __init__(self, role: str, home: Path, *, live: Checks, ready: Checks) -> None:
        """`live` must be cheap and ask nothing outside of the process; `ready` may wait."""
        self._role = role
        self._path = home / FOLDER / f"{role}.{os.getpid()}"
        self._live = live
        self._ready = ready
        self._found: Mapping[str, bool] = {}
        self._found_at: float | None = None
        self._file: int | None = None
        self._asker = Service("readiness", lambda: _repeat(self._asker, self.ask, ASK_EVERY))
        self._beater = Service("pulse", lambda: _repeat(self._beater, self.beat, BEAT_EVERY))

    def start(self) -> None:
        """Begin, and tell systemd that the process is ready."""
        self._file = self._open()
        self.beat()
        systemd.notify("READY=1")
        self._beater.start()
        self._asker.start()

    def stop(self) -> None:
        """End, and take the file away. Safe twice, and without `start`."""
        systemd.notify("STOPPING=1")
        self._asker.stop()
        self._beater.stop()
        if self._file is not None:
            self._path.unlink(missing_ok=True)
            os.close(self._file)
            self._file = None

    def ask(self) -> None:
        """Find out whether the process can work, once."""
        self._found = dict(self._ready())
        self._found_at = time.monotonic()

    def beat(self) -> None:
        """Say once how the process is."""
        live = dict(self._live())
        if all(live.values()):
            systemd.notify("WATCHDOG=1")
        said = {
            "role": self._role,
            "pid": os.getpid(),
            "at": time.monotonic(),
            "live": live,
            "ready": dict(self._found),
            "asked_at": self._found_at,
        }
        self._write(json.dumps(said).encode())

    def _open(self) -> int | None:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            log.warning("pulse.unwritten path=%s error=%s", self._path, error.strerror)
            return None
        return file

    def _write(self, said: bytes) -> None:
        if self._file is None:
            return
        try:
            os.pwrite(self._file, said.ljust(SIZE)[:SIZE], 0)
        except OSError as error:  # no room left: the file grows old, and the probe says so
            log.warning("pulse.unwritten path=%s error=%s", self._path, error.strerror)


def _repeat(service: Service, work: Callable[[], None], every: float) -> None:
    """Work at once, then every so many seconds; errors are logged."""
    while True:
        try:
            work()
        except Exception:  # the edge of the loop: the next time may go well
            log.exception("pulse.failed loop=%s", service.name)
        if service.wait(every):
            return
