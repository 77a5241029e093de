"""What a run adds to its conversation: `tail`, `reconcile` are pure, `collect_transcript` reads.

May import `worker.services` and what is below. Start with `reconcile`.
"""
