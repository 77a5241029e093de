"""What is done for runs besides executing them: short jobs, idempotent, safe in several processes.

May import `worker.services` and what is below. Start with `reaper`; `worker/tasks.py` lists them.
"""
