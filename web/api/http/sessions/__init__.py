"""Sessions over HTTP: `/api/sessions` in the gateway's paths and shapes, and what it lacks.

May import the HTTP API's own modules, the readers, and shared code. Start with `routes.py`.
"""
