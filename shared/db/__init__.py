"""The database: tables, units of work, locks, migrations, and all SQL.

Imports `shared.protocol`, `shared.conversation` and the keys of `shared.event_log`, not Redis.
Start with `database.py` (transactions) and `models.py` (tables); `runs/` and `sessions/` have the
queries.
"""
