"""`python -m tests.fuzz [packet frame request post] --count 100000 --seed 7`

Sends random input to a web process of its own, and looks now and then whether another user is still
served, whether the process is the same, and whether anything was logged as an accident. Exit code 1
and the numbers of the inputs in question if not.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import time

from tests.abuse.observe import use_of
from tests.fuzz.check import Watched
from tests.fuzz.drive import KINDS, send

ROUND = 2000  # inputs between two looks


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("kinds", nargs="*", help=f"of {KINDS}; none: all")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else secrets.randbelow(10**6)
    broken = False
    for kind in options.kinds or KINDS:
        broken |= fuzz(kind, options.count, seed)
    return 1 if broken else 0


def fuzz(kind: str, count: int, seed: int) -> bool:
    """Send inputs of one kind, in rounds of which each has a seed; whether something broke."""
    with Watched() as watched:
        before = use_of(watched.pid)
        began, slowest, faults = time.monotonic(), 0.0, list[str]()
        for number in range(max(1, count // ROUND)):
            send(watched.address, kind, min(ROUND, count), seed + number, watched.token)
            seconds, found = watched.look()
            slowest = max(slowest, seconds)
            faults += [f"{kind}, seed {seed + number}: {fault}" for fault in found]
        after, lines = use_of(watched.pid), watched.log_bytes()
    _write(
        f"{kind:8} {count:7} inputs, seed {seed}, {time.monotonic() - began:5.0f} s; "
        f"another user is answered within {slowest * 1000:.0f} ms; "
        f"files {before.files} {after.files}; "
        f"MB {before.megabytes:.0f} {after.megabytes:.0f}; log {lines / count:.1f} bytes each"
    )
    for fault in faults:
        _write(f"  {fault}")
    return bool(faults)


def _write(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
