"""Reads event streams, from the lowest layer up: connection, HTTP body, SSE, reader, stream.

Imports `shared` only. Start with `event_stream.py`, which puts the layers together; `http_body` and
`sse_parser` are pure.
"""
