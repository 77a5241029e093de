"""Libraries that another library imports if it finds them, although nothing here uses that part.

Socket.IO and Engine.IO import what their asynchronous half could run on, and redis-py what it could
measure itself with. No process here has either, and this took an eighth of the start of a web
process, a twentieth of a worker's. They hold such an import to be optional, so that here, too, it
may fail.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


@contextmanager
def hidden(*names: str) -> Iterator[None]:
    """Meanwhile the import of these raises ImportError; one that is imported already stays."""
    modules: dict[str, ModuleType | None] = sys.modules  # type: ignore[assignment]
    ours = [name for name in names if name not in modules]
    modules.update(dict.fromkeys(ours))
    try:
        yield
    finally:
        for name in ours:
            del modules[name]
