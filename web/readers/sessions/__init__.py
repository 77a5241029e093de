"""Readers of a whole session: its turns one after the other, as far as it goes, and its changes.

May import the readers of runs beside it and what these may. Start with `catch_up.py`.
"""
