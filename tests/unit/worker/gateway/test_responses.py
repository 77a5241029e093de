"""What the answers of a gateway mean (CASES C10, C16; R2, R7)."""

import math
import time
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from worker.gateway.exchange import Answer
from worker.gateway.responses import retry_after


def waits(value: str, **headers: str) -> float | None:
    found = CaseInsensitiveDict({"Retry-After": value, **headers})
    return retry_after(Answer(503, found, b""))


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7), (" 7 ", 7), ("0", 0.1), ("1.5", 1.5), ("86400", 60), ("999999999999", 60)],
)
def test_seconds_are_kept_within_limits(value: str, seconds: float) -> None:
    assert waits(value) == seconds


@pytest.mark.parametrize(
    "value",
    ["", "nan", "inf", "-inf", "-5", "1e3", "1_000", "٣", "soon", "7 s", "7,8", "0x10", "9" * 400],
)
def test_nonsense_is_ignored(value: str) -> None:
    assert waits(value) is None


def test_a_date_counts_from_the_gateways_own_clock() -> None:
    now = formatdate(1_000_000_000, usegmt=True)
    assert waits(formatdate(1_000_000_020, usegmt=True), Date=now) == 20
    assert waits(formatdate(999_999_000, usegmt=True), Date=now) == 0.1
    assert waits(formatdate(2_000_000_000, usegmt=True), Date=now) == 60


@pytest.mark.parametrize("date", ["", "nonsense"])
def test_a_date_without_that_clock_counts_from_ours(date: str) -> None:
    found = waits(formatdate(time.time() + 30, usegmt=True), Date=date)
    assert found is not None
    assert 25 < found <= 31


@pytest.mark.parametrize("value", ["Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"])
def test_the_older_forms_of_a_date_are_dates(value: str) -> None:
    assert waits(value) == 0.1


@given(st.text())
def test_no_header_raises_or_gives_a_wait_out_of_limits(value: str) -> None:
    found = waits(value)
    assert found is None or (math.isfinite(found) and 0.1 <= found <= 60)
