"""The HTTP API: paths and shapes of the Hermes Agent API server, over the same requests as sockets.

Start with `routes.py`: a route is a row of a table, from which Flask's rules and the OpenAPI
document are made (docs/adr/0019).
"""
