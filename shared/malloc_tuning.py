"""Giving memory of large blocks back to the system.

glibc takes blocks above a threshold from the system one by one, and gives them back when they are
freed; but each such block that is freed raises the threshold, up to 32 MB. After a few answers of
ten megabytes all later ones lie between other objects, and the process stays as large as it was
when most of them were alive. A threshold that is set does not move.
"""

import ctypes
import logging
from typing import Final

log = logging.getLogger(__name__)

M_MMAP_THRESHOLD: Final = -3  # of malloc.h
LARGE: Final = 1 << 17  # bytes; where glibc begins


def give_large_blocks_back() -> bool:
    """Set the threshold; False where the C library has none. Call it once, at start."""
    try:
        return bool(ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE))
    except (OSError, AttributeError):  # macOS, musl
        log.debug("malloc.no_threshold")
        return False
