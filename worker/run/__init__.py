"""The steps of a run, one module each. They import services, gateway and event log, not tasks.

Start with `run_turn`, which reads like a table of contents of the others.
"""
