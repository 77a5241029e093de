"""Logging in a green process, from green threads and from those of the operating system."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

BOTH_LOG = """
from shared import runtime
runtime.patch()
import logging, threading, time
from shared import log_setup
log_setup.configure("test", "INFO", lock=runtime.native_lock)
log, over = logging.getLogger("test"), []

def offloaded():
    for number in range(3000):
        log.info("from an OS thread %s", number)

def work():
    runtime.offload(offloaded)
    over.append(True)

threading.Thread(target=work).start()
while not over:
    log.info("from a green thread")
    time.sleep(0)
"""


@pytest.mark.parametrize("library", ["eventlet", "gevent"])
def test_an_os_thread_that_logs_does_not_leave_the_process_waiting(library: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BOTH_LOG],
        env={**os.environ, "RUNTIME": library},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [line for line in done.stderr.splitlines() if " from a" in line]
    assert sum("from an OS thread" in line for line in lines) == 3000
    assert all(" INFO test test from a" in line for line in lines)
