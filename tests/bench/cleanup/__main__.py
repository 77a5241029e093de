"""`python -m tests.bench.cleanup [--sessions 10000] [--database sqlite|postgresql]`.

Expired throw-away sessions are deleted while runs stream: prints a table of both databases.
`--write` puts it into docs/PERFORMANCE.md. Small sizes take a minute:
`python -m tests.bench.cleanup --sessions 300 --streams 5 --seconds 10 --database sqlite`.
"""

from __future__ import annotations

import argparse

from tests.bench.cleanup.measure import Sizes, measure
from tests.bench.cleanup.table import lines, write
from tests.bench.load.databases import POSTGRESQL, SQLITE, databases


def main() -> None:
    """The command line."""
    standard = Sizes()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=(SQLITE, POSTGRESQL), action="append")
    parser.add_argument("--write", action="store_true", help="the table into docs")
    for name, value in vars(standard).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    chosen = parser.parse_args()
    sizes = Sizes(**{name: getattr(chosen, name) for name in vars(standard)})
    found = {}
    with databases(tuple(chosen.database or (SQLITE, POSTGRESQL))) as wanted:
        for database, fresh in wanted.items():
            found[database] = measure(fresh(), sizes)
            print(*lines({database: found[database]}), sep="\n", flush=True)
    if len(found) > 1:
        print("", *lines(found), sep="\n")
    if chosen.write:
        write(found)


if __name__ == "__main__":
    main()
