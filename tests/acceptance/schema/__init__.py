"""Requests that schemathesis makes from the description of the HTTP API, sent to real processes.

`test_schema.py` starts here; `schemathesis.toml` says what is checked. A longer run: `make schema`.
"""
