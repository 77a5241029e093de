"""`python -m tests.bench.overload [scenario …]`: print the figures of each scenario.

The sizes are options, so that a small one takes seconds:
`python -m tests.bench.overload twice --seconds 5 --slots 4`. What is sampled in each second goes
into a JSON with `--samples FILE`; with `--write` into that next to results.json, and it is drawn
into docs/performance. `--only-write` measures nothing and draws what is there.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from tests.bench.load.databases import POSTGRESQL, SQLITE, databases
from tests.bench.overload.pictures import Samples
from tests.bench.overload.scenarios import ALL, Sizes
from tests.bench.overload.timeline import Timeline
from tests.support.paths import ROOT

SAMPLES = ROOT / "tests" / "bench" / "overload.json"
PLOTS = ROOT / "docs" / "performance"


def main() -> None:
    """The command line."""
    standard = Sizes()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenarios", nargs="*", metavar="scenario", help=", ".join(ALL))
    parser.add_argument("--database", choices=(SQLITE, POSTGRESQL), action="append")
    parser.add_argument("--samples", type=Path, help="keep what was sampled in this JSON")
    parser.add_argument("--write", action="store_true", help="keep the samples, and draw them")
    parser.add_argument("--only-write", action="store_true", help="measure nothing")
    parser.add_argument("--plots", type=Path, default=PLOTS)
    for name, value in vars(standard).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    chosen = parser.parse_args()
    unknown = set(chosen.scenarios) - set(ALL)
    if unknown:
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    sizes = Sizes(**{name: getattr(chosen, name) for name in vars(standard)})
    draws = chosen.write or chosen.only_write
    file = chosen.samples or (SAMPLES if draws else None)
    samples = Samples(file) if file is not None else None
    if not chosen.only_write:
        wanted = tuple(chosen.database or (SQLITE, POSTGRESQL))
        _measure(chosen.scenarios or list(ALL), wanted, sizes, samples)
    if draws and samples is not None:
        for written in samples.draw(chosen.plots):
            print(written)


def _measure(
    names: list[str], wanted: tuple[str, ...], sizes: Sizes, samples: Samples | None
) -> None:
    """Carry scenarios out, each with each database, and print their figures."""
    with databases(wanted) as found:
        for database, fresh in found.items():
            for name in names:
                began, timeline = time.monotonic(), Timeline()
                figures = ALL[name](fresh(), sizes, timeline)
                took = {"took": round(time.monotonic() - began), "look ms": timeline.look_ms()}
                head = {"scenario": name, "database": database}
                print(json.dumps({**head, **figures, **took}), flush=True)
                if samples is not None:
                    samples.put(name, database, figures, timeline)


if __name__ == "__main__":
    main()
