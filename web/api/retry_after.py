"""When a refused request may be sent again: `Retry-After`, computed where that is known. Pure."""

import math
from typing import Final

from shared.errors import HoldfastError

UNKNOWN: Final = 2  # seconds: a place in a queue, a database that comes back


def retry_after(error: HoldfastError, status: int) -> int | None:
    """Seconds, at least 1; None for a refusal that waiting does not change."""
    if status not in (429, 503):
        return None
    seconds = getattr(error, "retry_after", UNKNOWN)
    return max(1, math.ceil(seconds)) if math.isfinite(seconds) else UNKNOWN
