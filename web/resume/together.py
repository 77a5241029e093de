"""Those who ask for the same thing at once get one answer, made once.

Problem: after a restart a thousand sockets resume the same session, and each would read and encode
all of it. Idea: while one answer is being made, those who ask gather, and the next one is made for
all of them. It begins after the last of them has asked, so nobody is given something older than
its question.
"""

import threading
from collections.abc import Callable, Hashable, Sequence
from typing import Final, Generic, TypeVar

from shared.errors import Unavailable

Key = TypeVar("Key", bound=Hashable)
Item = TypeVar("Item")
Made = TypeVar("Made")

MOST: Final = 64  # who get one answer: whoever makes it may hold a lock meanwhile
PATIENCE: Final = 120.0  # seconds: longer than making two answers may take


class _Group(Generic[Item, Made]):
    def __init__(self, before: "_Group[Item, Made] | None") -> None:
        self.items: list[Item] = []
        self.done = threading.Event()
        self.before = before
        self.made: Made | None = None
        self.error: BaseException | None = None


class Together(Generic[Key, Item, Made]):
    """Groups by key. Any thread may call it."""

    def __init__(self, make: Callable[[Key, Sequence[Item]], Made]) -> None:
        """`make(key, items)` makes the answer for all of them; what it raises, all get."""
        self._make = make
        self._lock = threading.Lock()
        self._newest: dict[Key, _Group[Item, Made]] = {}  # of each key, until it is done
        self._begun: set[int] = set()  # groups that nobody may join any more, by id

    def ask(self, key: Key, item: Item) -> Made:
        """The answer for the group that `item` is in."""
        with self._lock:
            group = self._newest.get(key)
            is_first = group is None or id(group) in self._begun or len(group.items) >= MOST
            if group is None or is_first:
                group = self._newest[key] = _Group(group)
            group.items.append(item)
        if is_first:
            self._lead(key, group)
        elif not group.done.wait(PATIENCE):
            raise Unavailable
        if group.error is not None:
            raise group.error
        return group.made  # type: ignore[return-value]

    def _lead(self, key: Key, group: _Group[Item, Made]) -> None:
        if group.before is not None:
            group.before.done.wait(PATIENCE)
            group.before = None
        with self._lock:
            self._begun.add(id(group))
        try:
            group.made = self._make(key, group.items)
        except BaseException as error:  # noqa: BLE001 - whoever asked raises it
            group.error = error
        finally:
            with self._lock:
                self._begun.discard(id(group))
                if self._newest.get(key) is group:
                    del self._newest[key]
            group.done.set()
