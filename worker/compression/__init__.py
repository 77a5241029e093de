"""Summaries of a session's older turns. Imports services and gateway, nothing of `worker.run`.

Start with `compress`; `summarize` asks the gateway, `context_length` says how much a model takes.
"""
