"""`python -m tests.chaos.rolling --sessions 200`: a rolling restart under so many live runs.

`--upgrade`: from the release before, with its migration. Exit code 1 on a violation.
"""

from __future__ import annotations

import argparse
import sys
import time

from tests.chaos.evidence.report import table
from tests.chaos.kit import carry_out
from tests.chaos.rolling.restart import plan_of, troubles
from tests.chaos.rolling.stage import RollingStage


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.rolling", description=__doc__)
    parser.add_argument("--sessions", type=int, default=200, help="each with a live run")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each run")
    parser.add_argument("--turns", type=int, default=7, help="runs of each session")
    parser.add_argument("--web", type=int, default=3)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--upgrade", action="store_true")
    chosen = parser.parse_args()
    plan = plan_of(
        chosen.sessions,
        chosen.seconds,
        chosen.turns,
        web=chosen.web,
        workers=chosen.workers,
        upgrade=chosen.upgrade,
    )
    stage = RollingStage(
        web=chosen.web,
        workers=chosen.workers,
        slots=chosen.sessions,
        from_release_before=chosen.upgrade,
    )
    start = time.monotonic()
    outcome = carry_out(
        plan, stage, say=lambda line: _write(f"{time.monotonic() - start:7.1f} {line}")
    )
    for line in outcome.stories:
        _write(line)
    for violation in outcome.violations:
        _write(f"VIOLATION {violation.kind}: {violation.run_id} {violation.what}")
    _write(table(outcome.result))
    found = troubles(outcome.result)
    # The release before closes its sockets faster than two cores can show hundreds of pages anew.
    counted = [v for v in outcome.violations if not (chosen.upgrade and v.kind == "pause")]
    if counted or found:
        sys.exit(f"violations, or troubles: {found}; logs of violations: {outcome.folder}")


def _write(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
