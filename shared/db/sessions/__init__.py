"""The rows of a session besides its runs: its messages, totals, summaries, imports.

Functions take a transaction of `Database.write` or `read`. Start with `read.py`.
"""
