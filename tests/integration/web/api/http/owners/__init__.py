"""Every route of the HTTP API, asked for what belongs to somebody else.

`rows.py` is the table: a new route fails `test_owners.py` until it has a row there.
"""
