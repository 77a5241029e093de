"""Renewing the leases of the runs in this process.

May import `shared` only. Start with `keeper`; its SQL is in `shared/db/runs/lease.py`.
"""
