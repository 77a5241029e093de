"""Recovers sockets of clients that do not know `resume` with a cursor (P3).

May import resume, relay and sockets. Only `app` and `api/connect.py` know of it, so that it can be
removed one day. Start with `recovery.py`, then `offset.py`.
"""
