"""The estimate of what so many users need, and the table that the page shows of it."""

import json
import re
from dataclasses import astuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.cli import main
from deploy.commands.capacity import capacity
from tests.support.paths import ROOT

ROW = re.compile(r"^\| ([\d,]+) \|((?: [\d,.]+ \|){8})$", re.MULTILINE)


def test_the_table_of_the_page_is_what_the_command_says() -> None:
    page = (ROOT / "docs" / "CAPACITY.md").read_text("utf-8")
    rows = ROW.findall(page)
    assert len(rows) >= 5
    for users, cells in rows:
        found = capacity(int(users.replace(",", "")))
        *numbers, both, redis = cells.replace(",", "").replace("|", " ").split()
        assert [int(number) for number in numbers] == list(astuple(found)[:6])
        assert float(both) == round((found.web_mb + found.worker_mb) / 1000, 1)
        assert float(redis) == round(found.redis_mb / 1000, 1)


@given(st.integers(1, 10**6), st.floats(0, 1), st.floats(0, 200))
def test_more_users_never_need_less_and_none_stands_alone(
    users: int, active: float, rate: float
) -> None:
    few = capacity(users, active=active, rate=rate)
    many = capacity(users * 2, active=active, rate=rate)
    assert all(more >= less for more, less in zip(astuple(many), astuple(few), strict=True))
    assert few.web >= 2
    assert few.workers >= 2


def test_the_command_prints_numbers_for_people_and_programs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["capacity", "--users", "10000"]) == 0
    assert re.search(r"^live runs +500$", capsys.readouterr().out, re.MULTILINE)
    assert main(["capacity", "--users", "10000", "--active", "0.1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["live_runs"] == 1000


@pytest.mark.parametrize("given", [["--users", "0"], ["--users", "9", "--active", "2"], []])
def test_numbers_that_make_no_sense_are_refused(given: list[str]) -> None:
    with pytest.raises(SystemExit):
        main(["capacity", *given])
