"""Makes the ids of the gateway sessions that runs and summaries use once (R25)."""

import random
import time
from typing import Literal


def ephemeral_id(kind: Literal["eph", "compress"], installation: str) -> str:
    """A new id, unique by time and chance: `eph_…` for a run, `compress_…` for a summary. The
    prefix has the installation, so that the clean-up deletes only its own sessions."""
    stamp = int(time.time() * 1000)
    return f"{kind}_{installation}_{_base36(stamp)}_{_base36(random.getrandbits(40))}"


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return digits or "0"
