"""Samples of overload: each value in its second, and a picture of them."""

from __future__ import annotations

import time
from pathlib import Path
from xml.etree import ElementTree as ET

from tests.bench.overload.pictures import Samples
from tests.bench.overload.timeline import ENDS, FIRST, GAP, MESSAGES, WAITING, Timeline


def sampled() -> Timeline:
    """Three seconds: 4 and 6 runs end, one gap and one first token in the second of them."""
    line = Timeline()
    line._looks = [(0.0, 0.002, (0, 9, 3)), (1.0, 0.004, (4, 8, 2)), (2.0, 0.003, (10, 7, 1))]
    line.gap(line._began + 1.5, 0.05)
    line.gap(line._began + 1.6, 0.06)
    line.first_token(line._began + 1.2, 0.4)
    line.gap(line._began + 99.0, 9.0)  # after the last look
    line.phases.append((1, "twice"))
    return line


def test_each_value_is_in_the_second_in_which_it_came() -> None:
    line = sampled()
    assert line.series() == {
        ENDS: [None, 4.0, 6.0],
        WAITING: [9, 8, 7],
        MESSAGES: [3, 2, 1],
        GAP: [None, 60.0, None],
        FIRST: [None, 0.4, None],
    }
    assert line.look_ms() == 3.0


def test_a_look_that_fails_is_left_out() -> None:
    line, asked = Timeline(), []

    def look() -> tuple[int, int, int]:
        asked.append(1)
        raise OSError

    with line.watching(look):
        deadline = time.monotonic() + 5
        while not asked:
            assert time.monotonic() < deadline
    assert line.series() == {}


def test_samples_are_kept_and_drawn_again_from_their_file(tmp_path: Path) -> None:
    file = tmp_path / "overload.json"
    for database in ("sqlite", "postgresql"):
        Samples(file).put("one_user", database, {"failed": 0}, sampled())
    (picture,) = Samples(file).draw(tmp_path / "plots")
    assert picture.name == "overload-one-user.svg"
    drawn = ET.fromstring(picture.read_text("utf-8"))  # noqa: S314 - our own
    text = " ".join(drawn.itertext())
    for shown in (ENDS, WAITING, MESSAGES, GAP, FIRST, "SQLite", "PostgreSQL", "twice from 1"):
        assert shown in text
