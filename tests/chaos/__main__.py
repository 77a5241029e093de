"""`python -m tests.chaos --minutes 30 --seed 7`: chaos, and a table. Exit code 1 on a violation."""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import time
from pathlib import Path

from tests.chaos.evidence.report import table
from tests.chaos.kit import run_plan
from tests.chaos.schedule import draw

SHORT = 300.0  # seconds: below that, leases and warm-up are shorter


def main() -> None:
    """Do what the command line says."""
    arguments = _arguments()
    seconds = arguments.minutes * 60
    seed = arguments.seed if arguments.seed is not None else secrets.randbelow(10**6)
    plan = draw(seed, seconds, arguments.database, arguments.runs, arguments.faults)
    start = time.monotonic()

    def say(text: str) -> None:
        _write(f"{time.monotonic() - start:7.1f} {text}")

    say(
        f"seed {seed}: {plan.runs} prompts in {len(plan.sessions)} sessions, "
        f"{len(plan.faults)} faults, {seconds:.0f} s, {plan.database}"
    )
    short = seconds < SHORT
    outcome = run_plan(
        plan,
        say=say,
        web=arguments.web,
        workers=arguments.workers,
        lease=5.0 if short else 15.0,
        warm_up=20.0 if short else 120.0,
    )
    for text in outcome.stories:
        _write(text)
    for violation in outcome.violations:
        _write(f"VIOLATION {violation.kind}: {violation.run_id} {violation.what}")
    _write(table(outcome.result))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(outcome.result, indent=1, default=str))
    if outcome.violations:
        sys.exit(f"violations; seed {seed}; logs are kept in {outcome.folder}")


def _write(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, help="else one is drawn, and printed")
    parser.add_argument("--database", choices=("postgres", "sqlite"), default="postgres")
    parser.add_argument("--runs", type=int, default=0, help="prompts; default 103 a minute")
    parser.add_argument("--faults", type=int, default=0, help="default 10 a minute")
    parser.add_argument("--web", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path, help="file for the result")
    return parser.parse_args()


if __name__ == "__main__":
    main()
