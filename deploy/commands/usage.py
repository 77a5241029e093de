"""`holdfast usage`: tokens and costs of runs, by day, model, profile, session or owner."""

import json
from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy.exc import DBAPIError

from deploy.errors import DeployError
from shared.db.database import Database
from shared.db.usage_report import By, UsageSum, last_days, sums, total
from shared.errors import DatabaseUnavailable
from shared.settings import Settings

COLUMNS = (
    *("runs", "input", "output", "cache read", "cache write", "reasoning"),
    *("estimated $", "actual $"),
)


def usage(settings: Settings, *, days: int, by: By, as_json: bool) -> int:
    """Print the sums of the last days, today included. Raises DeployError."""
    db = Database(settings.database_url)
    try:
        groups, whole = db.read(
            lambda tx: (
                sums(tx, by, span := last_days(tx, days)),
                total(tx, span),
            )
        )
    except (DatabaseUnavailable, DBAPIError) as error:
        raise DeployError(
            "the database does not answer, or its schema is out of date (`holdfast migrate`)"
        ) from error
    finally:
        db.close()
    if as_json:
        report = {"days": days, "by": by.value, "sums": [asdict(one) for one in groups]}
        print(json.dumps(report | {"total": asdict(whole)}, indent=2))
    else:
        _show(by, groups, whole)
    return 0


def _show(by: By, groups: Sequence[UsageSum], whole: UsageSum) -> None:
    rows = [(by.value, *COLUMNS), *(_row(one.key or "-", one) for one in groups)]
    rows.append(_row("total", whole))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for first, *others in rows:
        numbers = (cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))
        print("  ".join([first.ljust(widths[0]), *numbers]))


def _row(name: str, one: UsageSum) -> tuple[str, ...]:
    costs = (one.estimated_cost_usd, one.actual_cost_usd)
    counts = (
        one.runs,
        one.input_tokens,
        one.output_tokens,
        one.cache_read_tokens,
        one.cache_write_tokens,
        one.reasoning_tokens,
    )
    shown = ("-" if cost is None else f"{cost:.4f}" for cost in costs)
    return (name, *(f"{n:,}" for n in counts), *shown)
