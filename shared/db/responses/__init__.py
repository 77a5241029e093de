"""Responses of OpenAI's API: which runs are some, in which session each is, what was streamed.

Imports the rest of `shared.db` but `runs.accept`, which calls it. Start with `place.py`.
"""
