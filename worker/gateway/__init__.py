"""Talks to gateways: their HTTP API, their event streams, a Hermes home on this machine.

Imports `shared` and `worker.event_log.stream_position`, not runs or services. Start with
`client.py`, which has a method per endpoint. What gateways send passes `boundary` first; it,
`models`, `delta_merge` and `translate_events` are pure.
"""
