"""The worker's side of event logs: what a run has to log waits in memory until Redis has it.

Imports `shared` only. Start with `publisher.py`, then `run_log.py`; `run_log` and `stream_position`
are pure.
"""
