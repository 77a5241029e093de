"""Parked deletions: for administrators, page by page, and again."""

from __future__ import annotations

import pytest

from shared.db.models import DeletionRow
from tests.integration.web.api.http.operations.conftest import Site, code

LIST, RETRY = "/api/deletions", "/api/deletions/retry"


def listed(site: Site, query: str = "") -> list[str]:
    answer = site.client("adam").get(f"{LIST}?limit=100{query}")
    assert answer.status_code == 200, answer.text
    return [one["session_id"] for one in answer.json()["data"]]


def row(site: Site, session_id: str, profile: str = "default") -> DeletionRow:
    found = site.stand.db.read(lambda tx: tx.get(DeletionRow, (profile, session_id)))
    assert found is not None
    return found


def test_they_are_for_administrators(site: Site) -> None:
    for name in ("alice", "olga"):
        assert code(site.client(name).get(LIST)) == (403, "forbidden")
        body = {"profile": "default"}
        assert code(site.client(name).post(RETRY, body)) == (403, "forbidden")


def test_they_are_listed_the_latest_first_in_pages(site: Site) -> None:
    for number in range(3):
        site.park(f"eph_page_{number}", at=5_000_000_000.0 + number)
    first = site.client("adam").get(f"{LIST}?limit=2").json()
    names = [one["session_id"] for one in first["data"]]
    assert (names, first["has_more"]) == (["eph_page_2", "eph_page_1"], True)
    assert first["data"][0]["error"] == "HTTP 500"
    second = site.client("adam").get(f"{LIST}?limit=1&cursor={first['next_cursor']}").json()
    assert [one["session_id"] for one in second["data"]] == ["eph_page_0"]


def test_some_or_all_of_a_profile_are_tried_again(site: Site) -> None:
    for name in ("eph_a", "eph_b", "eph_c"):
        site.park(name, at=1000.0, profile="work")
    body = {"profile": "work", "session_ids": ["eph_a", "eph_nobody", "eph_page_0"]}
    assert site.client("adam").post(RETRY, body).json()["retried"] == 1
    again = row(site, "eph_a", "work")
    assert (again.status, again.attempt_count) == ("pending", 0)
    assert row(site, "eph_b", "work").status == "parked"
    assert site.client("adam").post(RETRY, {"profile": "work"}).json()["retried"] == 2
    assert site.client("adam").post(RETRY, {"profile": "work"}).json()["retried"] == 0
    assert not {"eph_a", "eph_b", "eph_c"} & set(listed(site))


@pytest.mark.parametrize(
    "body",
    [
        *({}, {"profile": ""}, {"profile": 5}, {"profile": "x\0"}, {"profile": "x" * 300}),
        *({"profile": "p", "session_ids": []}, {"profile": "p", "session_ids": ["x"] * 101}),
        *({"profile": "p", "session_ids": "all"}, {"profile": "\ud800"}),
    ],
)
def test_a_body_that_makes_no_sense_is_refused(site: Site, body: dict[str, object]) -> None:
    assert site.client("adam").post(RETRY, body).status_code == 400
