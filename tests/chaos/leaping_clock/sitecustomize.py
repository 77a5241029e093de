"""Read by Python at its start: the wall clock of this process differs by what a file says.

The file, eight bytes, holds seconds as a double. Only `time.time` is changed: what a host's clock
does to a process that asks it. The clocks of the database and of other processes stay right.
"""

import mmap
import os
import struct
import time

_DOUBLE = struct.Struct("d")


def _leap(path: str) -> None:
    with open(path, "rb") as file:  # noqa: PTH123 - nothing more is imported at the start
        offset = mmap.mmap(file.fileno(), _DOUBLE.size, access=mmap.ACCESS_READ)
    right = time.time

    def time_of_host() -> float:
        return right() + float(_DOUBLE.unpack_from(offset)[0])

    time.time = time_of_host


if os.environ.get("CHAOS_CLOCK"):
    _leap(os.environ["CHAOS_CLOCK"])
