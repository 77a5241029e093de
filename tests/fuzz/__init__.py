"""Seeded random input for a web process: packets, WebSocket frames, HTTP requests.

`python -m tests.fuzz --count 100000 --seed 7` sends it and says what broke; `drive.py` is what the
test of a sample uses too. The same seed gives the same input.
"""
