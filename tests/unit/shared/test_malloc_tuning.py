"""What large blocks took is given back, also after many of them."""

import subprocess
import sys

import pytest

from shared.malloc_tuning import give_large_blocks_back

SCRIPT = """
import sys
from shared.malloc_tuning import give_large_blocks_back

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

if sys.argv[1] == "on":
    give_large_blocks_back()
for size in range(2, 30):
    bytearray(size * 1_000_000)  # each one that is freed would raise the threshold
before = resident()
large, pins = [], []
for _ in range(10):
    large.append(bytearray(10_000_000))
    pins.append(bytearray(50_000))
large.clear()
print(resident() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="of the C library of Linux")
def test_large_blocks_between_small_ones_are_given_back() -> None:
    def grown(switch: str) -> int:
        command = [sys.executable, "-c", SCRIPT, switch]
        return int(subprocess.run(command, capture_output=True, check=True, text=True).stdout)

    assert grown("on") < 5_000_000 < grown("off")


def test_where_there_is_no_threshold_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda _: object())
    assert not give_large_blocks_back()
