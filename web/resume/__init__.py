"""Shows sessions to sockets and makes them members: stored rows first, then live events.

May import relay and sockets. Start with `resume.py`, then `membership.py`.
"""
