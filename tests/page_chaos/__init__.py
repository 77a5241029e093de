"""Browsers watch while processes and connections are killed: they must show what is stored.

May import from tests.chaos and tests.support. Start with `__main__.py`, then `perform.py`.
"""
