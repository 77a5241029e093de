"""Sums of usage: of a bounded range, and of nobody else."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.web.api.http.operations.conftest import Site, code

DAY = 86_400
FIRST = 1_500_000_000 - 1_500_000_000 % DAY  # long before the runs of other tests


@pytest.fixture(scope="module", autouse=True)
def spent(site: Site) -> None:
    site.spend("alice", FIRST + 1, input_tokens=10, model="big", session_id="s1")
    site.spend("alice", FIRST + DAY, input_tokens=1, output_tokens=4, model="small")
    site.spend("bob", FIRST + 2, input_tokens=100, model="big", estimated_cost_usd=0.5)


def usage(site: Site, name: str, query: str) -> dict[str, Any]:
    answer = site.client(name).get(f"/api/usage?since={FIRST}&until={FIRST + 9 * DAY}&{query}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def keys(report: dict[str, Any]) -> dict[str, int]:
    return {one["key"]: one["input_tokens"] for one in report["data"]}


def test_a_user_is_shown_their_own_usage_and_an_operator_that_of_all(site: Site) -> None:
    assert keys(usage(site, "alice", "by=owner")) == {"alice": 11}
    assert keys(usage(site, "olga", "by=owner")) == {"bob": 100, "alice": 11}
    assert keys(usage(site, "olga", "by=model&owner=alice")) == {"big": 10, "small": 1}
    foreign = usage(site, "alice", "by=model&owner=bob")
    assert (foreign["data"], foreign["total"]["runs"]) == ([], 0)


def test_it_is_summed_by_day_model_profile_and_session(site: Site) -> None:
    assert list(keys(usage(site, "alice", "by=day"))) == ["2017-07-14", "2017-07-15"]
    assert keys(usage(site, "alice", "by=session")) == {"s1": 10, "s": 1}
    assert keys(usage(site, "alice", "by=profile")) == {"default": 11}
    total = usage(site, "olga", "by=model")["total"]
    assert (total["runs"], total["input_tokens"], total["output_tokens"]) == (3, 111, 4)
    assert total["estimated_cost_usd"] == 0.5


def test_the_groups_of_fewer_tokens_are_left_out_beyond_the_limit(site: Site) -> None:
    report = usage(site, "olga", "by=owner&limit=1")
    assert (keys(report), report["has_more"]) == ({"bob": 100}, True)
    assert report["total"]["input_tokens"] == 111


def test_the_default_is_the_last_thirty_days(site: Site) -> None:
    report = site.client("olga").get("/api/usage").json()
    assert (report["by"], report["until"], report["since"] % DAY) == ("day", None, 0)


@pytest.mark.parametrize(
    ("query", "param"),
    [
        (f"since={FIRST}&until={FIRST + 367 * DAY}", "since"),
        (f"since={FIRST}&until={FIRST - 1}", "since"),
        ("since=0", "since"),
        ("days=367", "days"),
        ("days=0", "days"),
        ("by=nothing", "by"),
        ("since=nan", "since"),
        ("limit=1001", "limit"),
        ("owner=%ED%A0%80%00", "owner"),
    ],
)
def test_a_range_that_is_too_long_or_makes_no_sense_is_refused(
    site: Site, query: str, param: str
) -> None:
    answer = site.client("olga").get(f"/api/usage?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param


def test_a_range_has_a_code(site: Site) -> None:
    assert code(site.client("olga").get("/api/usage?since=0")) == (400, "invalid_range")
