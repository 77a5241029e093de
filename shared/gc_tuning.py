"""Making garbage collections rare and short, since a process does nothing else meanwhile.

The objects that exist after the start (some 150,000) stay as long as the process. A full collection
of them took 100 to 190 ms, every few seconds under load, and caused the slowest tokens. While
modules are imported, looking again and again at what they make took a fifth of the start, and one
look at the end of it a fifteenth, for the 700 objects that are garbage then.
"""

import gc

# The thresholds of gc.set_threshold: new objects before a collection of the youngest generation,
# and collections of one generation before one of the next. Cycles are rare here (errors with their
# frames) and small.
YOUNG, MIDDLE, OLD = 5_000, 10, 20


def put_off() -> None:
    """Collect nothing until `go_on`: before the modules of a process are imported."""
    gc.disable()


def go_on() -> None:
    """Collect again, but never what is there now: nearly all of it stays as long as the process."""
    gc.freeze()
    gc.enable()


def settle() -> None:
    """Exempt all present objects from collections. Call it once, when the process is built."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
