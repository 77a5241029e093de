"""The samples of scenarios as JSON, and drawn over time: one picture each, both databases in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.bench.overload.timeline import NAMES, Timeline
from tests.bench.report.results import describe_machine
from tests.bench.report.svg import Points, line_plot, stacked

TITLES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


class Samples:
    """A file of samples; a scenario that is measured again takes the place of its last ones."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._all: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.exists() else {}

    def put(self, scenario: str, database: str, figures: dict[str, Any], line: Timeline) -> None:
        """Note and write."""
        self._all.setdefault(scenario, {})[database] = {
            "machine": describe_machine(),
            "figures": figures,
            "ms of a look": line.look_ms(),
            "phases": line.phases,
            "series": line.series(),
        }
        self._file.write_text(_narrow(self._all), "utf-8")

    def draw(self, folder: Path) -> list[Path]:
        """Write the pictures of all scenarios that were measured; their files."""
        folder.mkdir(parents=True, exist_ok=True)
        written = []
        for scenario, databases in self._all.items():
            file = folder / f"overload-{scenario.replace('_', '-')}.svg"
            file.write_text(_picture(scenario, databases), "utf-8")
            written.append(file)
        return written


def _narrow(value: dict[str, Any]) -> str:
    """JSON with each series in one line, so that changes can be read."""
    scenarios = []
    for scenario, databases in value.items():
        inner = []
        for database, parts in databases.items():
            lines = ",\n".join(
                f"   {json.dumps(name)}: {json.dumps(part)}"
                for name, part in parts.items()
                if name != "series"
            )
            series = ",\n".join(
                f"    {json.dumps(name)}: {json.dumps(one)}"
                for name, one in parts["series"].items()
            )
            inner.append(f'  "{database}": {{\n{lines},\n   "series": {{\n{series}\n   }}\n  }}')
        scenarios.append(f' "{scenario}": {{\n' + ",\n".join(inner) + "\n }")
    return "{\n" + ",\n".join(scenarios) + "\n}\n"


def _picture(scenario: str, databases: dict[str, Any]) -> str:
    phases = [
        f"{TITLES[database]}: " + ", ".join(f"{name} from {at}" for at, name in parts["phases"])
        for database, parts in databases.items()
        if parts["phases"]
    ]
    lengths = [len(one) for parts in databases.values() for one in parts["series"].values()]
    seconds = [float(second) for second in range(max(lengths, default=0))]
    plots = []
    for name in NAMES:
        lines: dict[str, Points] = {
            TITLES[database]: [
                (float(second), float(value))
                for second, value in enumerate(parts["series"].get(name, []))
                if value is not None
            ]
            for database, parts in databases.items()
        }
        shown = {label: points for label, points in lines.items() if points}
        if shown:
            plots.append(line_plot(scenario, "seconds", name, shown, seconds))
    return stacked(plots, phases)
