"""`python -m tests.page_chaos --runs 200 --seed 7`: a browser watches runs under faults; at the end
what it shows is what is stored. Exit code 1 if not.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import time

from deploy.page import build
from tests.page_chaos.perform import Outcome, perform
from tests.support.page.chromium import chromium


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.page_chaos", description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, help="else one is drawn, and printed")
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else secrets.randbelow(10**6)
    begun = time.monotonic()

    def say(text: str) -> None:
        sys.stdout.write(f"{time.monotonic() - begun:7.1f} {text}\n")
        sys.stdout.flush()

    say(f"seed {seed}")
    build.build()
    reference = build.build_reference().read_text("utf-8")
    with chromium() as browser:
        outcome = perform(browser, reference, seed, arguments.runs, say)
    for violation in outcome.violations:
        say(f"VIOLATION {violation}")
    for line in summary(outcome):
        say(line)
    if outcome.violations:
        sys.exit(f"violations; seed {seed}; logs are kept in {outcome.folder}")


def summary(outcome: Outcome) -> list[str]:
    """What was done, in lines."""
    faults = ", ".join(f"{name} {count}" for name, count in sorted(outcome.faults.items()))
    ends = ", ".join(f"{count} {end}" for end, count in outcome.ends.most_common())
    return [
        f"seed {outcome.seed}: {outcome.runs} runs in {outcome.sessions} sessions",
        f"{outcome.devices} pages, {outcome.reloads} reloads, {outcome.seconds:.0f} s",
        f"ends: {ends}",
        f"{sum(outcome.faults.values())} faults: {faults}",
        f"violations: {len(outcome.violations)}",
    ]


if __name__ == "__main__":
    main()
