"""The table of figures, on the screen and in docs/PERFORMANCE.md between markers of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tests.bench.report.report import TITLES
from tests.support.paths import ROOT

DOCUMENT = ROOT / "docs" / "PERFORMANCE.md"
BEGIN, END = "<!-- cleanup: begin -->", "<!-- cleanup: end -->"

Figures = Mapping[str, str]  # what was measured -> as it is shown


def lines(found: Mapping[str, Figures]) -> Iterator[str]:
    """The table as Markdown, a column for each database."""
    yield f"| | {' | '.join(TITLES[database] for database in found)} |"
    yield f"| --- |{' --- |' * len(found)}"
    names = dict.fromkeys(name for figures in found.values() for name in figures)
    for name in names:
        yield f"| {name} | {' | '.join(figures.get(name, '') for figures in found.values())} |"


def write(found: Mapping[str, Figures]) -> None:
    """Put it between the markers of the document."""
    before, _, rest = DOCUMENT.read_text("utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    body = "\n".join(lines(found))
    DOCUMENT.write_text(f"{before}{BEGIN}\n\n{body}\n\n{END}{after}", "utf-8")
