"""`python -m tests.bench.overload [scenario …]`: print the figures of each scenario.

The sizes are options, so that a small one takes seconds:
`python -m tests.bench.overload twice --seconds 5 --slots 4`.
"""

from __future__ import annotations

import argparse
import json

from tests.bench.load.databases import POSTGRESQL, SQLITE, databases
from tests.bench.overload.scenarios import ALL, Sizes


def main() -> None:
    """The command line."""
    standard = Sizes()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenarios", nargs="*", metavar="scenario", help=", ".join(ALL))
    parser.add_argument("--database", choices=(SQLITE, POSTGRESQL), action="append")
    for name, value in vars(standard).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    chosen = parser.parse_args()
    unknown = set(chosen.scenarios) - set(ALL)
    if unknown:
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    sizes = Sizes(**{name: getattr(chosen, name) for name in vars(standard)})
    with databases(tuple(chosen.database or (SQLITE, POSTGRESQL))) as found:
        for database, fresh in found.items():
            for name in chosen.scenarios or list(ALL):
                figures = ALL[name](fresh(), sizes)
                print(json.dumps({"scenario": name, "database": database, **figures}), flush=True)


if __name__ == "__main__":
    main()
