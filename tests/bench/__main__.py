"""`python -m tests.bench [scenario …]`: measure, print the tables, keep the results.

`--write` puts the tables and plots into docs/PERFORMANCE.md; without scenarios and with
`--only-write` nothing is measured.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from tests.bench.load.databases import POSTGRESQL, SQLITE, databases
from tests.bench.report import report
from tests.bench.report.results import Results
from tests.bench.scenarios import ALL
from tests.support.paths import ROOT

DOCUMENT = ROOT / "docs" / "PERFORMANCE.md"
PLOTS = ROOT / "docs" / "performance"
RESULTS = ROOT / "tests" / "bench" / "results.json"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenarios", nargs="*", metavar="scenario", help=", ".join(ALL))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--database", choices=(SQLITE, POSTGRESQL), action="append")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--write", action="store_true", help="tables and plots into docs")
    parser.add_argument("--only-write", action="store_true", help="measure nothing")
    chosen = parser.parse_args()
    unknown = set(chosen.scenarios) - set(ALL)
    if unknown:
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    results = Results(chosen.results)
    if not chosen.only_write:
        wanted = tuple(chosen.database or (SQLITE, POSTGRESQL))
        measure(results, chosen.scenarios or list(ALL), wanted, chosen.rounds)
    print("\n".join(report.lines(results)))
    if chosen.write or chosen.only_write:
        report.write(results, DOCUMENT, PLOTS)


def measure(results: Results, names: list[str], wanted: tuple[str, ...], rounds: int) -> None:
    """Carry scenarios out, each with each database, and note what came out."""
    with databases(wanted) as found:
        for database, fresh in found.items():
            for name in names:
                began = time.monotonic()
                results.put(name, database, ALL[name](fresh, rounds))
                print(f"{name}, {database}: {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
