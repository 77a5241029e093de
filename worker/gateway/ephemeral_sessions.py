"""Names of the throw-away sessions that runs and summaries use at the gateway (R25)."""

import random
import time
from typing import Literal


def ephemeral_id(kind: Literal["eph", "compress"], installation: str) -> str:
    """A new name; it tells what the session is for and whose it is."""
    stamp = int(time.time() * 1000)
    return f"{kind}_{installation}_{_base36(stamp)}_{_base36(random.getrandbits(40))}"


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return digits or "0"
