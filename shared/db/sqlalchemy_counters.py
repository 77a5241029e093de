"""Counts SQLAlchemy's sessions and loads without a lock.

SQLAlchemy takes the number of each Session and of each load of objects from two counters of the
process, each behind a `threading.Lock`. eventlet replaces that lock by one which cannot wake a
waiter in another OS thread. On SQLite units of work run in two OS threads; when both took a number
at the same moment, one of them waited for ever, and with it all units of its connection. One call
of `itertools.count` needs no lock: the interpreter does not change threads within it.
"""

import itertools

from sqlalchemy.orm import loading, session


def count_without_locks() -> None:
    """Replace both counters. Raises AttributeError if this SQLAlchemy has others."""
    for module, name in ((session, "_new_sessionid"), (loading, "_new_runid")):
        following = getattr(module, name)() + 1
        setattr(module, name, itertools.count(following).__next__)
