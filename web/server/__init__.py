"""The HTTP server of a web process: accepts connections, and keeps what strangers cost bounded.

May import `shared` only. Start with `http_server.py`; `door.py` decides who may stay.
"""
