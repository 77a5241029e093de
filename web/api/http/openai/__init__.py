"""OpenAI's API: chat completions and responses, each of which is a run of ours.

Start with `routes.py`. Pure: `messages.py` (what was asked), `response_events.py` (the events of a
stream and their numbers, docs/adr/0021), `response_objects.py`, `completion_objects.py`.
"""
