"""Traces of runs for OpenTelemetry (`TRACES_URL`): `run_spans` says which spans a run has, `tracer`
sends them. May import `shared` alone. Start with `run_spans`.
"""
