"""Requests to other servers that end within a total time, for web processes and workers alike.

Start with `fetch.py`. Runs at a gateway have a client of their own, `worker/gateway`.
"""
