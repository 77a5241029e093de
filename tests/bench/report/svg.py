"""Line plots as SVG, without a library."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

Points = Sequence[tuple[float, float]]

WIDTH, HEIGHT = 520, 300
NARROW = 16  # characters of a name that fit four times into a row
LABELS = 16  # at most, and points that are drawn large
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 36, 66
COLOURS = ("#0b6bcb", "#c2410c", "#15803d", "#7c3aed", "#a16207", "#0e7490")
TEXT = 'font-family="sans-serif" font-size="11" fill="#444"'


def line_plot(
    title: str,
    x_name: str,
    y_name: str,
    lines: Mapping[str, Points],
    all_x: Sequence[float] = (),
    *,
    labels: Sequence[float] = (),
    dots: bool = True,
) -> str:
    """One plot; y begins at 0, each x of the points is equally far from the next. Of many x only
    some have a label: `labels`, if given. `all_x`: room for these, too. `dots`: at every point."""
    xs = sorted({*all_x, *(x for points in lines.values() for x, _ in points)})
    most = _round_up(max((y for points in lines.values() for _, y in points), default=1.0))
    step = (WIDTH - LEFT - RIGHT) / max(1, len(xs) - 1)
    at_x = {x: LEFT + step * number for number, x in enumerate(xs)}

    def at_y(y: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * y / most

    size = f'width="{WIDTH}" height="{HEIGHT}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" {size}>',
        f'<rect {size} fill="#fff"/>',
        f'<text x="{LEFT}" y="20" {TEXT} font-weight="bold">{title}: {y_name}</text>',
    ]
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = at_y(most * share)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        label = f"{most * share:,.10g}"
        parts.append(
            f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" {TEXT}>{label}</text>'
        )
    labelled = [x for x in xs if x in labels] if labels else xs[:: 1 + len(xs) // LABELS]
    for x, at in ((x, at_x[x]) for x in labelled):
        y = HEIGHT - BOTTOM + 16
        parts.append(f'<text x="{at:.1f}" y="{y}" text-anchor="middle" {TEXT}>{x:,.10g}</text>')
    middle, below = (LEFT + WIDTH - RIGHT) / 2, HEIGHT - BOTTOM + 32
    parts.append(f'<text x="{middle}" y="{below}" text-anchor="middle" {TEXT}>{x_name}</text>')
    wide = any(len(name) > NARROW for name in lines)
    for number, (name, points) in enumerate(lines.items()):
        placed = [(at_x[x], at_y(y)) for x, y in sorted(points)]
        parts += _line(number, name, placed, 2 if wide else 4, dots=dots)
    return "\n".join([*parts, "</svg>", ""])


def stacked(plots: Sequence[str], notes: Sequence[str]) -> str:
    """Plots one below the other, with lines of text at the end."""
    height = HEIGHT * len(plots) + 16 * len(notes) + 8
    size = f'width="{WIDTH}" height="{height}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" {size}>'
    placed = [
        plot.replace("<svg ", f'<svg y="{HEIGHT * number}" ', 1)
        for number, plot in enumerate(plots)
    ]
    texts = [
        f'<text x="8" y="{HEIGHT * len(plots) + 16 * number}" {TEXT}>{note}</text>'
        for number, note in enumerate(notes)
    ]
    return "".join([head, f'<rect {size} fill="#fff"/>', *placed, *texts, "</svg>\n"])


def grid(plots: Sequence[str], columns: int) -> str:
    """Plots side by side, row by row."""
    width, height = WIDTH * columns, HEIGHT * math.ceil(len(plots) / columns)
    size = f'width="{width}" height="{height}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {size}>'
    placed = [
        plot.replace("<svg ", f'<svg x="{WIDTH * (n % columns)}" y="{HEIGHT * (n // columns)}" ', 1)
        for n, plot in enumerate(plots)
    ]
    return "".join([head, f'<rect {size} fill="#fff"/>', *placed, "</svg>\n"])


def _line(
    number: int, name: str, placed: Points, names_in_row: int, *, dots: bool
) -> Iterator[str]:
    colour = COLOURS[number % len(COLOURS)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
    yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
    radius = 3 if len(placed) <= LABELS else 1
    yield from (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{colour}"/>'
        for x, y in (placed if dots else ())
    )
    room = (WIDTH - LEFT) // names_in_row
    x, y = LEFT + room * (number % names_in_row), HEIGHT - 20 + 14 * (number // names_in_row)
    yield f'<rect x="{x}" y="{y - 8}" width="8" height="8" fill="{colour}"/>'
    yield f'<text x="{x + 12}" y="{y}" {TEXT}>{name}</text>'


def _round_up(value: float) -> float:
    """The next 1, 2, 4 or 8 times a power of ten."""
    power = 1.0
    while power * 10 <= value:
        power *= 10
    while power > value > 0:
        power /= 10
    return next(power * times for times in (1, 2, 4, 8, 10) if power * times >= value)
