"""Tests with a real Redis server and real databases, in one process; folders mirror the source."""
