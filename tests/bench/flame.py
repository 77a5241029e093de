"""Flame graphs of the web and the worker process under a load (`python -m tests.bench.flame`).

Needs py-spy (`pip install py-spy`), and the right to look at other processes.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tests.bench.__main__ import PLOTS
from tests.bench.compare import sound
from tests.bench.load.databases import POSTGRESQL, SQLITE, databases
from tests.bench.load.measured_stack import MeasuredStack
from tests.bench.load.plan import Load
from tests.bench.starts import AT_ONCE

SAMPLES_PER_SECOND = 200
LOADS = {
    "starts": AT_ONCE,
    "flat-out": Load(20, 20_000),
    "paced": Load(200, 500, 50.0),
    "one-run": Load(1, 20_000),
}
LEAD = 0.5  # seconds that the profiler gets to attach


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("load", choices=list(LOADS), nargs="?", default="flat-out")
    parser.add_argument("--database", choices=(SQLITE, POSTGRESQL), default=SQLITE)
    parser.add_argument("--folder", type=Path, default=PLOTS)
    parser.add_argument("--raw", action="store_true", help="collapsed stacks instead of SVG")
    chosen = parser.parse_args()
    found = shutil.which("py-spy", path=Path(sys.executable).parent) or shutil.which("py-spy")
    if found is None:
        sys.exit("py-spy is not installed: pip install py-spy")
    with databases((chosen.database,)) as fresh:
        stack = MeasuredStack(database_url=fresh[chosen.database]())
        try:
            stack.start()
            stack.through(Load(1, 20))
            for file in record(stack, LOADS[chosen.load], found, chosen):
                print(file)
        finally:
            stack.stop()


def record(
    stack: MeasuredStack, load: Load, profiler: str, chosen: argparse.Namespace
) -> list[Path]:
    """Profile both processes from before the load's start to its end; the files."""
    chosen.folder.mkdir(parents=True, exist_ok=True)
    watched = {"web": stack.web[0].pid, "worker": stack.workers[0].pid}
    kind, suffix = ("raw", "txt") if chosen.raw else ("flamegraph", "svg")
    files = [chosen.folder / f"flame-{chosen.load}-{role}.{suffix}" for role in watched]
    profilers = [
        subprocess.Popen(
            [
                *(profiler, "record", "--nonblocking", "--pid", str(pid), "--output", str(file)),
                *("--format", kind, "--rate", str(SAMPLES_PER_SECOND), "--duration", "unlimited"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for pid, file in zip(watched.values(), files, strict=True)
    ]
    time.sleep(LEAD)
    try:
        sound(stack.through(load))
    finally:
        for process in profilers:
            process.send_signal(2)  # SIGINT: it writes what it has
            process.wait()
    return files


if __name__ == "__main__":
    main()
