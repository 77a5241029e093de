"""What relay, resume and requests need of an emitter; tests record instead."""

from collections.abc import Iterable
from typing import Protocol


class Deliver(Protocol):
    """Queues an encoded event for sockets without waiting."""

    def deliver(self, sids: Iterable[str], entry: bytes) -> None: ...
