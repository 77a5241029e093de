"""Routes for pages, operators and scripts: usage, queue, timelines, runs, deletions, oneself.

It may import what other routes import. Start with `routes.py`; who sees what is in `scope.py`.
"""
