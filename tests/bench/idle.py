"""Sockets that do nothing: what each costs the web process (`python -m tests.bench.idle`)."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from tests.bench.load.cpu import cpu_seconds, resident_bytes
from tests.bench.load.measured_stack import MeasuredStack
from tests.bench.load.run_readers import SocketRunReader
from tests.support.paths import ROOT
from tests.support.servers.stack import TOKEN

SETTLE = 1.0  # seconds after the last socket
AT_ONCE = 32  # sockets being opened
WATCHED = 5.0  # seconds of doing nothing


def main() -> None:
    """Open so many sockets, say so, hold them until the standard input ends."""
    url, count = sys.argv[1], int(sys.argv[2])
    with ThreadPoolExecutor(AT_ONCE) as pool:
        lines = list(pool.map(lambda n: SocketRunReader(url, TOKEN, f"idle{n}", ""), range(count)))
    print("open", flush=True)
    sys.stdin.read()
    for line in lines:
        line.socket.close()


def idle_numbers(stack: MeasuredStack, count: int, watched: float = WATCHED) -> dict[str, float]:
    """Kilobytes of the first web process per socket, and its CPU meanwhile, in percent."""
    web = stack.web[0].pid
    before = resident_bytes(web)
    command = [sys.executable, "-m", "tests.bench.idle", stack.urls[0], str(count)]
    holder = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    began = time.monotonic()
    assert holder.stdout.readline() == "open\n", "the sockets could not be opened"
    opening = time.monotonic() - began
    time.sleep(SETTLE)
    grown, cpu = resident_bytes(web) - before, cpu_seconds(web)
    time.sleep(watched)
    used = cpu_seconds(web) - cpu
    holder.communicate("")
    return {
        "KB/socket": grown / 1024 / count,
        "sockets opened/s": count / opening,
        "idle cpu %": 100 * used / watched,
    }


if __name__ == "__main__":
    main()
