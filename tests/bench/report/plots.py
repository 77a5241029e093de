"""The plots of docs/performance, from the results."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.bench.report.results import Results
from tests.bench.report.svg import Points, line_plot


@dataclass(frozen=True)
class Plot:
    """A file: numbers of a scenario against its cases. `lines`: name of the number -> label."""

    file: str
    title: str
    scenario: str
    x_name: str
    y_name: str
    lines: dict[str, str]


PLOTS = [
    Plot(
        *("throughput-by-runs", "Flat out", "by_runs", "runs", "tokens/s"),
        {"tokens/s": "ours", "direct tokens/s": "direct"},
    ),
    Plot(
        *("latency-by-runs", "50 tokens/s each", "by_runs", "runs", "added ms per token"),
        {"paced added p50 ms": "p50", "paced added p99 ms": "p99"},
    ),
    Plot(
        *("start-by-runs", "Runs started at once", "by_runs", "runs", "first token, ms"),
        {"paced first token ms": "median", "paced slowest first token ms": "slowest"},
    ),
    Plot(
        *("throughput-by-web", "20 runs flat out", "by_web", "web processes", "tokens/s"),
        {"tokens/s": "ours", "direct tokens/s": "direct"},
    ),
    Plot(
        *(
            "cpu-by-web",
            "Runs at 50 tokens/s",
            "by_web",
            "web processes",
            "CPU us of web per token",
        ),
        {"paced cpu web us": "60 runs in all", "grown cpu web us": "30 runs for each"},
    ),
    Plot(
        *("latency-by-messages", "After the start", "by_messages", "messages", "added ms"),
        {"added p50 ms": "p50", "added p99 ms": "p99"},
    ),
    Plot(
        *("start-by-messages", "Start of a run", "by_messages", "messages", "first token, ms"),
        {"start first token ms": "ours", "start direct first token ms": "direct"},
    ),
    Plot(
        *("cpu-by-messages", "After the start", "by_messages", "messages", "CPU us per token"),
        {"cpu web us": "web", "cpu worker us": "worker", "cpu redis us": "redis"},
    ),
    Plot(
        *("cpu-by-length", "Flat out", "by_length", "tokens in the answer", "CPU us per token"),
        {"cpu ours us": "web + worker + redis"},
    ),
]


def draw_all(results: Results, folder: Path) -> list[Path]:
    """Write the plots for which there is something; their files."""
    written = []
    for plot in PLOTS:
        lines = _lines(results, plot)
        if lines:
            file = folder / f"{plot.file}.svg"
            file.write_text(line_plot(plot.title, plot.x_name, plot.y_name, lines), "utf-8")
            written.append(file)
    return written


def _lines(results: Results, plot: Plot) -> dict[str, Points]:
    lines: dict[str, Points] = {}
    for database in results.databases():
        cases = results.cases(plot.scenario, database)
        for number, label in plot.lines.items():
            points = [(float(case), n[number].median) for case, n in cases.items() if number in n]
            if points:
                lines[f"{label}, {'PG' if database == 'postgresql' else 'SQLite'}"] = points
    return lines
