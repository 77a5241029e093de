"""Keeps answers for some seconds, so that several pages that poll cost no more than one."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class ShortCache(Generic[T]):
    """At most `most` answers, by what was asked; the one that was asked for longest ago goes."""

    def __init__(self, most: int = 200, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._kept: OrderedDict[object, tuple[float, T]] = OrderedDict()

    def get(self, key: object, seconds: float, make: Callable[[], T]) -> T:
        """The answer that was kept for `key`, if it is not older than `seconds`; else a new one."""
        kept = self._kept.get(key)
        if kept is not None and self._clock() - kept[0] < seconds:
            self._kept.move_to_end(key)
            return kept[1]
        made = make()
        self._kept[key] = (self._clock(), made)
        self._kept.move_to_end(key)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return made
