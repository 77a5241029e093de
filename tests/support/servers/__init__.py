"""Processes and servers: Redis, PostgreSQL, whole stacks, a TCP proxy."""
