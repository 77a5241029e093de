"""The tables of docs/PERFORMANCE.md, from the results, between two markers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench.goals import GOALS
from tests.bench.report.plots import draw_all
from tests.bench.report.results import Cases, Results

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
TITLES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


@dataclass(frozen=True)
class Table:
    """A scenario's table, a row for each case; without columns turned: a row for each number."""

    title: str
    cases: str
    columns: tuple[str, ...] = ()


TABLES = {
    "goals": Table("The loads with goals, in full", "number"),
    "starts": Table(
        "Starts and ends of runs",
        "runs of 20 tokens",
        (
            *("runs/s", "cpu ms/run", "cpu web ms/run", "cpu worker ms/run", "cpu us/token"),
            *("first token p50 ms", "first token p99 ms", "added p99 ms"),
            *("redis commands/run", "gateway requests/run", "commits/run"),
        ),
    ),
    "starts_by_processes": Table(
        "500 runs of 20 tokens at once, by processes",
        "web + workers",
        (
            *("runs/s", "cpu ms/run", "cpu web ms/run", "cpu worker ms/run", "cpu redis ms/run"),
            *("first token p50 ms", "first token p99 ms", "redis commands/run", "commits/run"),
        ),
    ),
    "sessions": Table("Long sessions", "work", ("ms",)),
    "idle_sockets": Table(
        "Idle sockets", "sockets", ("KB/socket", "sockets opened/s", "idle cpu %")
    ),
    "by_runs": Table(
        "Number of runs",
        "runs",
        (
            *("tokens/s", "direct tokens/s", "cpu ours us", "paced cpu ours us"),
            *("paced added p50 ms", "paced added p99 ms", "paced slowest first token ms"),
        ),
    ),
    "by_web": Table(
        "Web processes",
        "processes",
        (
            *("tokens/s", "tokens/s ratio", "cpu web us", "paced cpu web us"),
            *("paced added p50 ms", "paced added p99 ms"),
            *("grown cpu web us", "grown added p50 ms", "grown added p99 ms"),
        ),
    ),
    "by_messages": Table(
        "Messages in the session",
        "messages",
        (
            *("start first token ms", "cpu web us", "cpu worker us", "cpu redis us"),
            *("added p50 ms", "added p99 ms"),
        ),
    ),
    "by_length": Table(
        "Length of the answer",
        "tokens",
        (
            *("tokens/s", "cpu ours ms/run", "cpu web us", "cpu worker us", "cpu redis us"),
            "redis log bytes",
        ),
    ),
}


def write(results: Results, document: Path, plots: Path) -> None:
    """Put tables and plots between the markers of the document."""
    plots.mkdir(parents=True, exist_ok=True)
    files = draw_all(results, plots)
    text = document.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    pictures = [f"![{file.stem}](performance/{file.name})" for file in files]
    body = "\n".join([*lines(results), "### Plots", "", *pictures])
    document.write_text(f"{before}{BEGIN}\n\n{body}\n\n{END}{after}", "utf-8")


def lines(results: Results) -> Iterator[str]:
    """All tables as Markdown: median (least - most)."""
    yield from (f"Machine: {results.machine}. Median (least - most) of the rounds.", "")
    yield from _goals(results)
    for scenario, table in TABLES.items():
        for database in results.databases():
            cases = results.cases(scenario, database)
            if cases:
                yield from (f"### {table.title}: {TITLES[database]}", "")
                yield from _by_case(cases, table) if table.columns else _by_number(cases, table)
                yield ""


def _goals(results: Results) -> Iterator[str]:
    names = results.databases()
    yield from _head(["work", "goal", *(TITLES[name] for name in names)])
    for goal in GOALS:
        shown = [results.number(goal.scenario, name, goal.case, goal.number) for name in names]
        cells = ["not measured" if s is None else f"{s}{goal.mark(s.median)}" for s in shown]
        yield _row([goal.work, goal.words, *cells])
    yield ""


def _by_case(cases: Cases, table: Table) -> Iterator[str]:
    yield from _head([table.cases, *table.columns])
    for case, numbers in cases.items():
        yield _row([case, *(str(numbers.get(column, "")) for column in table.columns)])


def _by_number(cases: Cases, table: Table) -> Iterator[str]:
    yield from _head([table.cases, *cases])
    for name in next(iter(cases.values())):
        yield _row([name, *(str(numbers.get(name, "")) for numbers in cases.values())])


def _head(cells: list[str]) -> Iterator[str]:
    yield _row(cells)
    yield _row(["---"] * len(cells))


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
