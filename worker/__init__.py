"""The worker processes: runs, maintenance and beat. Imports `shared`, never `web`.

Start with `processes` (what runs where), then `run/run_turn` (what is done with a run).
"""
