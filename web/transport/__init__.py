"""The bytes below Engine.IO: WebSockets moved by two threads, and the heartbeat.

May import `web/sockets/engineio_internals.py`. Start with `websocket_loop.py`.
"""
