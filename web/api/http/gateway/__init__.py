"""The gateway's own pages over HTTP: models, capabilities, skills, toolsets, health; and `/p/…`.

Start with `routes.py`. It may import the rest of `web.api.http`, of which only `api.py` imports it.
"""
