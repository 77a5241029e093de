"""The life of a run in the database: accept, claim, lease, stop, end; and the search for lost ones.

Functions take a transaction of `Database.write` or `read`. States are written in `state.py` only.
Start with `accept.py`, `claim.py`, `complete.py`.
"""
