"""An empty parameter of a query means the same as none."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask

from shared.hermes.profiles import DEFAULT
from web.api.connect import wants_recovery
from web.api.http_runs import add_run_route
from web.sockets.rate_limit import OwnerLimits, RateLimit


class Requests:
    """Records the profile of each run."""

    def __init__(self) -> None:
        self.profiles: list[str] = []

    def accept(self, owner: str, profile: str, payload: object) -> Any:
        self.profiles.append(profile)
        return SimpleNamespace(run_id="r", session_id=None, status="queued")


@pytest.mark.parametrize("query", ["", "?profile=", "?profile", "?profile=%20", "?profile=default"])
def test_a_run_without_a_profile_is_of_the_default_one(query: str) -> None:
    app, requests = Flask(__name__), Requests()
    anyone = SimpleNamespace(of_request=lambda environ: SimpleNamespace(owner="me"))
    limits = OwnerLimits(RateLimit(50), RateLimit(50))
    add_run_route(app, anyone, requests, limits)  # type: ignore[arg-type]
    answer = app.test_client().post(f"/runs{query}", json={"input": "hi", "on_busy": None})
    assert (answer.status_code, requests.profiles) == (202, [DEFAULT])


@pytest.mark.parametrize(
    ("query", "auth", "wanted"),
    [
        ("recovery=", {"recovery": "1"}, True),
        ("recovery=", {}, False),
        ("recovery=0", {"recovery": "1"}, False),
        ("", {"recovery": None}, False),
        ("EIO=4&transport=polling&recovery=", {}, True),
        ("EIO=4&transport=polling", {"recovery": ""}, True),
        ("EIO=4&transport=polling", {"recovery": False}, False),
    ],
)
def test_recovery_is_asked_for_by_a_value_only(
    query: str, auth: dict[str, Any], wanted: bool
) -> None:
    with Flask(__name__).test_request_context(f"/?{query}"):
        assert wants_recovery(auth) is wanted
