"""Runs of the demo gateway: the script in a request, its player, the event stream.

Start with `runs.py` (life of a run), then `script_player.py`.
"""
