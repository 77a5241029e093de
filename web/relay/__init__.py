"""Moves events from Redis to the sockets of this process: each once, in order.

May import sockets, of which it only uses `delivery.py`. Start with `relay.py`, then `cursor.py`.
"""
