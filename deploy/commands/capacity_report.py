"""`holdfast capacity`: its options, and what it prints."""

import argparse
import json
from dataclasses import asdict

from deploy.commands.capacity import capacity


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "--users", type=_people, required=True, metavar="N", help="that are connected at once"
    )
    parser.add_argument(
        "--active",
        type=_share,
        default=0.05,
        metavar="SHARE",
        help="of them with a live run, 0 to 1 (default: 0.05)",
    )
    parser.add_argument(
        "--rate",
        type=_rate,
        default=50.0,
        metavar="N",
        help="tokens per second of a run (default: 50)",
    )
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON")


def report(arguments: argparse.Namespace) -> str:
    """Return the numbers, a line each, or as JSON."""
    found = asdict(capacity(arguments.users, active=arguments.active, rate=arguments.rate))
    if arguments.json:
        return json.dumps(found)
    return "\n".join(f"{name.replace('_', ' '):22}{number:>12,}" for name, number in found.items())


def _people(text: str) -> int:
    return int(_between(text, 1, 10_000_000))


def _share(text: str) -> float:
    return _between(text, 0, 1)


def _rate(text: str) -> float:
    return _between(text, 0, 10_000)


def _between(text: str, low: float, high: float) -> float:
    number = float(text)
    if not low <= number <= high:
        raise argparse.ArgumentTypeError(f"must be from {low} to {high}")
    return number
