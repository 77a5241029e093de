"""Builds the page of `web/ui` from its source, in a checkout: `python -m deploy.page`.

May import the standard library only. Start with `build.py`; `node.py` finds the Node that does it.
"""
