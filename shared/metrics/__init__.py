"""The metrics of all processes: their names (`every_process`, `web`, `worker`, `system`), the kinds
of instruments, and the port on which Prometheus reads them. May import `shared` alone. Start with
`docs/METRICS.md`; a new metric is one line in the module of its role.
"""
