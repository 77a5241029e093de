"""Readers of one run's events over HTTP: members of feeds whose entries go into a response.

Start with `opening.py`: what a reader is sent first. Pure: `place.py`, `frames.py`, `condensed.py`,
`replay.py`.
"""
