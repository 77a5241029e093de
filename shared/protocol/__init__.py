"""What clients and processes agree on: events, notifications, run states, and folds of events.

Pure: nothing here does input or output or imports Redis, SQLAlchemy or eventlet. Start with
`events.py`; `docs/protocol.md` is generated from it.
"""
