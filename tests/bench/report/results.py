"""What was measured, kept as JSON: scenario -> database -> case -> name -> median, low, high."""

from __future__ import annotations

import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.compare import Numbers
from tests.bench.load.spread import Spread

Cases = dict[str, Numbers]  # what varies, as text -> numbers


class Results:
    """A file of results; a scenario that is measured again takes the place of its last ones."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._all: dict[str, dict[str, Cases]] = {}
        self.machine = ""
        if file.exists():
            raw = json.loads(file.read_text("utf-8"))
            self.machine = raw["machine"]
            self._all = {
                scenario: {
                    database: {
                        case: {name: Spread(*value) for name, value in numbers.items()}
                        for case, numbers in cases.items()
                    }
                    for database, cases in databases.items()
                }
                for scenario, databases in raw["scenarios"].items()
            }

    def cases(self, scenario: str, database: str) -> Cases:
        """Empty if it was not measured."""
        return self._all.get(scenario, {}).get(database, {})

    def number(self, scenario: str, database: str, case: str, name: str) -> Spread | None:
        """One number, if it was measured."""
        return self.cases(scenario, database).get(case, {}).get(name)

    def databases(self) -> list[str]:
        """Those that anything was measured with."""
        return sorted({name for scenario in self._all.values() for name in scenario}, reverse=True)

    def put(self, scenario: str, database: str, cases: Cases) -> None:
        """Note and write."""
        self._all.setdefault(scenario, {})[database] = cases
        self.machine = describe_machine()
        raw = {
            "machine": self.machine,
            "scenarios": {
                scenario: {
                    database: {
                        case: {n: _rounded(spread) for n, spread in numbers.items()}
                        for case, numbers in cases.items()
                    }
                    for database, cases in databases.items()
                }
                for scenario, databases in self._all.items()
            },
        }
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_text(json.dumps(raw, indent=1) + "\n", "utf-8")


def describe_machine() -> str:
    """Cores, kind, Python, day."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return (
        f"{os.cpu_count()} shared cores ({model}), Linux, Python {platform.python_version()}, "
        f"{datetime.now(UTC):%Y-%m-%d}"
    )


def _rounded(spread: Spread) -> list[float]:
    return [round(value, 3) for value in (spread.median, spread.low, spread.high)]
