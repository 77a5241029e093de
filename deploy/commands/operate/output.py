"""How the commands show what they found: tables for people, JSON for programs, progress."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from shared.log_setup import visible

PIPED_WIDTH: Final = 250  # columns where no terminal says how many it has
Row = Mapping[str, Any]


def show_json(value: object) -> None:
    """Print it as JSON."""
    print(json.dumps(value, indent=2, default=str))


def show_rows(rows: Sequence[Row], columns: Sequence[str], *, title: str | None = None) -> None:
    """Print a table. `columns`: keys of the rows; what is not there is shown as `-`."""
    table = Table(title=title, box=None, header_style="bold", title_justify="left", pad_edge=False)
    for column in columns:
        numbers = bool(rows) and all(isinstance(row.get(column), int | float) for row in rows)
        table.add_column(column.replace("_", " "), justify="right" if numbers else "left")
    for row in rows:
        table.add_row(*(Text(_cell(row.get(column))) for column in columns))
    _console().print(table)


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else PIPED_WIDTH, highlight=False)


def _cell(value: object) -> str:
    """What others chose, such as a title, has no effect on the terminal."""
    if value is None or value == "":
        return "-"
    if isinstance(value, float):
        return f"{value:.1f}"
    return visible(str(value))


def time_of(seconds: float | None) -> str | None:
    """Return epoch seconds as a time in UTC."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


@contextmanager
def progress(words: str, total: int | None) -> Iterator[Progress]:
    """Show a bar on standard error while the block works, if that is a terminal; the first task is
    the one to advance."""
    bar = Progress(
        TextColumn(words),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
        transient=True,
    )
    with bar:
        bar.add_task(words, total=total)
        yield bar
