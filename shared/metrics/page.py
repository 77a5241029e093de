"""Writes docs/METRICS.md: `python -m shared.metrics.page docs/METRICS.md`."""

import sys
from pathlib import Path
from typing import Final

from shared.metrics import every_process, system, web, worker

REGISTRIES: Final = (every_process.REGISTRY, web.REGISTRY, worker.REGISTRY, system.REGISTRY)

INTRODUCTION: Final = """# Metrics

Made by `python -m shared.metrics.page docs/METRICS.md` from the modules of `shared/metrics`; a
test compares both.

With `METRICS_PORT` set, each process answers `GET /metrics` in the text format of Prometheus: on
that port, or where another process of the machine has it, on the first free one of the next 19
(`metrics.listening port=…` in its log). On one machine let Prometheus scrape all twenty; in
containers each process has the first. `METRICS_HOST` is the address, `METRICS_TOKEN` a bearer
token that a scrape has to bring. Metrics hold names of profiles and nothing of users.

`holdfast_runs_waiting` and the other values of **maintenance** are of the whole installation,
read from the database and the broker at most every five seconds. With several maintenance
processes each shows the same ones: take `max by (…)`, not `sum`. All others are of one process:
take `sum`. Names follow OpenTelemetry's conventions where they have one. Alert rules are in
`deploy/monitoring/alerts.yml`, a dashboard for Grafana is in
`deploy/monitoring/grafana/holdfast.json`; [RUNBOOK.md](RUNBOOK.md) says what to do about each
alert. Why it is built this way: [ADR 0025](adr/0025-metrics.md).

The dashboard during five minutes of chaos, drawn from what a Prometheus scraped meanwhile (`make
dashboard`; it fails if a query finds nothing):

![The panels of the dashboard](pictures/dashboard.svg)
"""


def page() -> str:
    """Return the page: one table for each role."""
    parts = [INTRODUCTION]
    for registry in REGISTRIES:
        parts.append(f"\n## {registry.role[0].upper()}{registry.role[1:]}\n")
        parts.append("\n| metric | kind | labels | meaning |\n| --- | --- | --- | --- |\n")
        for one in registry.defined:
            labels = ", ".join(f"`{label}`" for label in one.labels)
            parts.append(f"| `{one.name}` | {one.kind} | {labels} | {one.text} |\n")
    return "".join(parts)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
