"""The garbage collector after the start of a process."""

from __future__ import annotations

import subprocess
import sys

SETTLED = """
import gc
from shared import gc_tuning
garbage = [[] for _ in range(1000)]
gc_tuning.settle()
print(gc.get_freeze_count() >= 1000, gc.get_threshold() == (5_000, 10, 20), len(gc.get_objects()))
"""


def test_what_is_there_at_the_start_is_not_looked_at_again() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SETTLED], capture_output=True, text=True, check=True
    )
    frozen, rare, left = done.stdout.split()
    assert (frozen, rare) == ("True", "True")
    assert int(left) < 100


PUT_OFF = """
import gc
from shared import gc_tuning
gc_tuning.put_off()
off = gc.isenabled()
kept = [[] for _ in range(1000)]
gc_tuning.go_on()
print(off, gc.isenabled(), gc.get_freeze_count() >= 1000)
before = gc.get_freeze_count()
import weakref
class Seen: pass
seen = Seen()
seen.itself = seen
gone = weakref.ref(seen)
del seen
gc_tuning.settle()
print(gone() is None, gc.get_freeze_count() > before)
"""


def test_nothing_is_collected_while_modules_are_imported_and_garbage_of_later_is() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PUT_OFF], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "True", "True", "True", "True"]
