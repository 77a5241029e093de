"""A message to a session and its answer over HTTP, at once or piece by piece.

May import what the package above may, but none of its handlers. Start with `chat.py`.
"""
