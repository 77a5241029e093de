"""The web process: sockets, requests of clients, and the relay from Redis to sockets.

Imports `shared`, never `worker`. Layers, top to bottom: app, api, recovery, resume, relay,
transport, sockets; start reading in `web/app.py`, which builds all objects of the process.
"""
