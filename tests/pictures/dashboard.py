"""`python -m tests.pictures.dashboard`: draws the dashboard in docs/pictures, with what a real
Prometheus has after some minutes of chaos. Exit code 1 if a query of it found nothing, or on a
violation."""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
import time
from collections.abc import Mapping
from typing import Any, Final

from deploy.local.ports import LOOPBACK, free_port
from shared.metrics.server import PORTS_TRIED
from tests.bench.report.svg import Points, grid, line_plot
from tests.chaos.kit import run_plan
from tests.chaos.schedule import draw
from tests.support.paths import ROOT
from tests.support.servers.prometheus import SCRAPED_EVERY, PrometheusServer, Series

DASHBOARD: Final = ROOT / "deploy" / "monitoring" / "grafana" / "holdfast.json"
PICTURE: Final = ROOT / "docs" / "pictures" / "dashboard.svg"
COLUMNS: Final = 3
NAMED: Final = 8  # lines of a panel that have a name
POINTS: Final = 120  # of each line, at most
# Seconds between two points; a minute has a whole number of each.
STEPS: Final = (2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60)
UNITS: Final[Mapping[str, tuple[str, float]]] = {
    "s": ("seconds", 1),
    "ops": ("per second", 1),
    "reqps": ("per second", 1),
    "percentunit": ("% of a core", 100),
    "bytes": ("MB", 1e-6),
    "short": ("number", 1),
}


def main() -> None:
    """Do what the command line says."""
    arguments = _arguments()
    port = free_port()
    plan = draw(arguments.seed, arguments.minutes * 60, "postgres")
    prometheus = PrometheusServer(range(port, port + PORTS_TRIED))
    try:
        begin = time.time()
        outcome = run_plan(
            plan,
            say=_write,
            lease=5.0,
            settings={"METRICS_PORT": str(port), "METRICS_HOST": LOOPBACK},
        )
        found = _read(prometheus, begin, time.time())
    finally:
        prometheus.stop()
    PICTURE.write_text(grid([_draw(panel, lines) for panel, lines in found], COLUMNS), "utf-8")
    _write(f"{PICTURE.relative_to(ROOT)} {PICTURE.stat().st_size:,} bytes")
    empty = [f"{panel['title']}: {name}" for panel, lines in found for name in _empty(panel, lines)]
    for text in [*(f"NO DATA {one}" for one in empty), *map(str, outcome.violations)]:
        _write(text)
    if empty or outcome.violations:
        sys.exit(1)


Lines = dict[str, list[Series]]  # the expression of a target -> what it found


def _read(prometheus: PrometheusServer, begin: float, end: float) -> list[tuple[Any, Lines]]:
    """The panels of the dashboard in their order."""
    panels = json.loads(DASHBOARD.read_text("utf-8"))["panels"]
    step = next(step for step in STEPS if (end - begin) / step <= POINTS)

    def ask(expression: str) -> list[Series]:
        query = expression.replace("$__rate_interval", f"{max(4 * SCRAPED_EVERY, 2 * step)}s")
        return prometheus.query_range(query, begin, end, step)

    return [
        (panel, {one["expr"]: ask(one["expr"]) for one in panel["targets"]}) for panel in panels
    ]


def _empty(panel: Mapping[str, Any], lines: Lines) -> list[str]:
    return [target["expr"] for target in panel["targets"] if not lines[target["expr"]]]


def _draw(panel: Mapping[str, Any], found: Lines) -> str:
    unit, factor = UNITS[panel["fieldConfig"]["defaults"]["unit"]]
    lines: dict[str, Points] = {}
    all_points = [at for some in found.values() for one in some for at, _ in one.points]
    start = min(all_points, default=0.0)
    for target in panel["targets"]:
        for one in found[target["expr"]]:
            points = [
                (round((at - start) / 60, 3), value * factor)
                for at, value in one.points
                if math.isfinite(value)
            ]
            if points:
                lines[_name(target["legendFormat"], one.labels, len(lines))] = points
    minutes = [float(number) for number in range(100)]
    return line_plot(panel["title"], "minutes", unit, lines, labels=minutes, dots=False)


def _name(legend: str, labels: Mapping[str, str], number: int) -> str:
    if number >= NAMED:
        return " " * number  # drawn, without a name
    name = re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), legend)
    return name.replace(f"{LOOPBACK}:", ":").replace("<", "&lt;").strip() or "value"


def _write(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.pictures.dashboard", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=9464)
    return parser.parse_args()


if __name__ == "__main__":
    main()
