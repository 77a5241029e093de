"""The clock of the kit: only the wall clock of a process leaps, and while it runs."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import time
from pathlib import Path

from tests.chaos.stage import CLOCKS

ASKS = "import time, sys\nfor _ in sys.stdin: print(time.time(), time.monotonic(), flush=True)"


def test_the_wall_clock_of_a_process_leaps_while_it_runs(tmp_path: Path) -> None:
    clock = tmp_path / "clock"
    clock.write_bytes(struct.pack("d", 0.0))
    environment = {**os.environ, "PYTHONPATH": str(CLOCKS), "CHAOS_CLOCK": str(clock)}
    with subprocess.Popen(
        [sys.executable, "-c", ASKS],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for leap in (0.0, 7200.0, -900.0, 0.0):
            with clock.open("r+b") as file:
                file.write(struct.pack("d", leap))
            process.stdin.write("\n")
            process.stdin.flush()
            wall, monotonic = map(float, process.stdout.readline().split())
            assert abs(wall - time.time() - leap) < 5
            assert abs(monotonic - time.monotonic()) < 5
