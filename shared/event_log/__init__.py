"""The event logs of runs in Redis, and the notifications to everybody who watches a session.

Imports `shared.protocol` and the Redis client, not the database. Start with `store.py`; `lua/` has
the scripts, which are the only writers. `keys.py`, `shards.py` and `types.py` are pure.
"""
