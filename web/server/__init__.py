"""The HTTP server of a web process: accepts connections, and bounds what they cost without a token.

May import `shared` only. Start reading with `http_server.py`; `connection_table.py` decides which
connections stay, `origins.py` which pages and host names may use the server.
"""
