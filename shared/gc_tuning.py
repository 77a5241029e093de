"""The garbage collector, made rare and short: a process stands still while it works.

What a process has after its start stays for good: some 150,000 objects, which took a full
collection 100 to 190 ms, every few seconds under load, and made up the slowest tokens.
"""

import gc

# How many more objects than before: until the young are looked at, then how often those until the
# next older ones are. Cycles are rare here (errors with their frames), and small.
YOUNG, MIDDLE, OLD = 5_000, 10, 20


def settle() -> None:
    """Call it once, when everything that stays has been built."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
