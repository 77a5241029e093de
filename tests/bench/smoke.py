"""`make bench-smoke`: a minute that says what has moved since it was last recorded.

Ratios and counts only, so that another machine or a busy one says much the same. It fails for a
token that is lost or out of order, never for a time.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tests.bench.compare import LossOrDisorder, compared
from tests.bench.idle import idle_numbers
from tests.bench.load.databases import SQLITE, Fresh, databases
from tests.bench.load.measured_stack import MeasuredStack
from tests.bench.load.plan import Load
from tests.bench.load.spread import Spread
from tests.bench.starts import measured_starts

RECORDED = Path(__file__).with_name("smoke.json")
ROUNDS = 3
LOADS = {
    "flat out": Load(20, 2_500),
    "paced": Load(40, 100, 50.0),
    "one run": Load(1, 20),
}
STARTS = Load(100, 20)  # all at once
COUNTED = ("redis commands/run", "gateway requests/run")
SOCKETS = 300
COUNTABLE = 1_000  # tokens: the processor's time comes in steps of 10 ms


def main() -> int:
    """0, or 1 if a token was lost or came out of order."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", action="store_true", help="the next comparison is with these")
    record: bool = parser.parse_args().record
    with databases((SQLITE,)) as found:
        try:
            now = measured(found[SQLITE], LOADS, ROUNDS)
        except LossOrDisorder as error:
            print(f"LOSS OR DISORDER: {error}")
            return 1
    before = _recorded()
    print(f"{'number':32} {'now':>24} {'recorded':>24}")
    for name, spread in now.items():
        old = before.get(name)
        print(f"{name:32} {spread!s:>24} {old or '-'!s:>24}  {moved(old, spread)}")
    if record:
        shown = {name: [round(x, 3) for x in (s.median, s.low, s.high)] for name, s in now.items()}
        RECORDED.write_text(json.dumps(shown, indent=1) + "\n", "utf-8")
    return 0


def measured(fresh: Fresh, loads: dict[str, Load], rounds: int) -> dict[str, Spread]:
    """The ratios of each load and of starts, what a run asks of its servers, and kilobytes per idle
    socket. Raises LossOrDisorder."""
    ratios: dict[str, Spread] = {}
    stack = MeasuredStack(database_url=fresh())
    try:
        stack.start()
        stack.through(Load(1, 20))
        ratios["KB per idle socket"] = Spread.of([idle_numbers(stack, SOCKETS, 0.5)["KB/socket"]])
        for name, load in loads.items():
            numbers = compared(stack, load, rounds)
            ratios[f"{name}: tokens/s ratio"] = numbers["tokens/s ratio"]
            if load.runs * load.tokens >= COUNTABLE:
                ratios[f"{name}: cpu, of direct's"] = _quotient(
                    numbers, "cpu ours us", "cpu direct us"
                )
            ratios[f"{name}: first token, of direct's"] = _quotient(
                numbers, "first token ms", "direct first token ms"
            )
        starts = measured_starts(stack, {"starts": STARTS}, rounds)["starts"]
        ratios["starts: runs/s ratio"] = _quotient(starts, "runs/s", "direct runs/s")
        ratios |= {f"starts: {name}": starts[name] for name in COUNTED}
    finally:
        stack.stop()
    return ratios


def moved(old: Spread | None, new: Spread) -> str:
    """What to say about a number: something only if its range left the recorded one."""
    if old is None or (new.low <= old.high and old.low <= new.high):
        return ""
    return f"moved by {100 * (new.median / old.median - 1):+.0f} %" if old.median else "moved"


def _quotient(numbers: dict[str, Spread], ours: str, direct: str) -> Spread:
    """The range is the widest that the two allow."""
    a, b = numbers[ours], numbers[direct]
    least = 1e-9
    return Spread(
        a.median / max(b.median, least), a.low / max(b.high, least), a.high / max(b.low, least)
    )


def _recorded() -> dict[str, Spread]:
    if not RECORDED.exists():
        return {}
    return {name: Spread(*values) for name, values in json.loads(RECORDED.read_text()).items()}


if __name__ == "__main__":
    sys.exit(main())
