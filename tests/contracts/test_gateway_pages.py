"""The gateway's own pages: Holdfast gives the same ones, but for what docs/api.md lists."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

from tests.contracts.conftest import Real, newest_only
from tests.contracts.shapes import Shape, answered, differences, documented, shape, unlisted, unseen
from tests.support.servers.stack import Stack

HEADING = "Differences of the gateway's own pages"
PAGES = ("/health", "/v1/health", "/health/detailed", "/v1/models", "/v1/skills", "/v1/toolsets")
TABLE = """
import json
from gateway.platforms.api_server import APIServerAdapter as Server
table = Server._http_route_table(object.__new__(Server))
print(json.dumps([(method, path) for method, path, _ in table]))
"""


def pages(client: Real) -> Iterator[tuple[str, Shape]]:
    for path in PAGES:
        for below in (path, f"/p/default{path}"):
            yield f"page {below}", answered(client, "GET", below)
    for path in ("/v1/models", "/v1/skills", "/v1/toolsets"):
        for entry in client.call("GET", path).body["data"][:1]:
            yield f"entry of {path}", shape(entry)
    for path in ("/health/detailed", *PAGES[3:], "/v1/capabilities"):
        yield f"{path} with a wrong key", answered(client, "GET", path, key="wrong")
    capabilities = client.call("GET", "/v1/capabilities").body
    features, endpoints = capabilities.pop("features"), capabilities.pop("endpoints")
    yield "capabilities", shape(capabilities)
    yield "features", {name: json.dumps(value) for name, value in features.items()}
    yield "endpoints", {name: json.dumps(value) for name, value in endpoints.items()}


def _is_kind(difference: str, kinds: tuple[str, ...]) -> bool:
    return difference.split()[1].startswith(kinds)


def unnamed(path: str) -> str:
    """The path without the names of its parameters."""
    return re.sub(r"{[^}]*}", "{}", path)


@newest_only
def test_the_pages_differ_only_as_the_table_says(real: Real, holdfast: Real) -> None:
    theirs, ours = dict(pages(real)), dict(pages(holdfast))
    assert theirs.keys() == ours.keys()
    seen: set[str] = set()
    for case, found in theirs.items():
        seen |= differences(case, found, ours[case])
    rows = documented(HEADING)
    assert unlisted(seen, rows) == []
    assert unseen(rows, seen) == []


@newest_only
def test_models_skills_and_toolsets_are_those_of_the_gateway(real: Real, holdfast: Real) -> None:
    for path in ("/v1/skills", "/v1/toolsets"):
        assert holdfast.call("GET", path).body == real.call("GET", path).body
    theirs, ours = (one.call("GET", "/v1/models").body["data"] for one in (real, holdfast))
    assert [one["id"] for one in ours] == [one["id"] for one in theirs]
    capabilities = [one.call("GET", "/v1/capabilities").body for one in (real, holdfast)]
    assert capabilities[0]["model"] == capabilities[1]["model"]


def routes_of(document: dict[str, Any]) -> dict[tuple[str, str], set[str]]:
    """Method and path -> the statuses that it may answer."""
    return {
        (method.upper(), unnamed(path)): set(operation["responses"])
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


@newest_only
def test_every_route_of_the_gateway_is_served_or_refused(
    hermes_library: Path, stack: Stack
) -> None:
    printed = subprocess.run(
        [hermes_library / "bin" / "python", "-c", TABLE],
        check=True,
        capture_output=True,
        text=True,
        timeout=100,
    )
    theirs = {
        (method, unnamed(path)) for method, path in json.loads(printed.stdout.splitlines()[-1])
    }
    ours = routes_of(requests.get(f"{stack.url}/openapi.json", timeout=30).json())
    assert len(theirs) > 30
    assert theirs - ours.keys() == set()
