"""Shapes of answers: status, keys, types; and the tables of docs/api.md that list differences."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from tests.contracts.conftest import Real
from tests.support.paths import ROOT

ROW = re.compile(r"^\| `(?P<difference>[^`]+)` \| (?P<reason>[^|]+) \|$", re.MULTILINE)
Shape = dict[str, str]  # path -> type


def documented(heading: str = "Differences") -> set[str]:
    """The differences in the table below a heading of docs/api.md, as patterns."""
    page = (ROOT / "docs" / "api.md").read_text("utf-8")
    section = re.split(r"\n##+ ", page.partition(f" {heading}\n")[2])[0]
    return {row["difference"] for row in ROW.finditer(section)}


def unlisted(seen: Iterable[str], rows: Iterable[str]) -> list[str]:
    """The differences that no row of a table describes."""
    patterns = [*rows]
    return [one for one in sorted(seen) if not any(fnmatchcase(one, row) for row in patterns)]


def unseen(rows: Iterable[str], seen: Iterable[str]) -> list[str]:
    """The rows of a table that describe no difference."""
    found = [*seen]
    return [row for row in sorted(rows) if not any(fnmatchcase(one, row) for one in found)]


def shape(value: Any, path: str = "") -> Shape:
    """Type of each field, below objects too."""
    if not isinstance(value, dict):
        return {path: type(value).__name__}
    found: Shape = {}
    for name, inner in value.items():
        found |= shape(inner, f"{path}.{name}" if path else name)
    return found


def differences(case: str, theirs: Shape, ours: Shape) -> set[str]:
    """What the two do not have in common, one line each."""
    return {
        f"{case}: {name} {theirs.get(name, 'absent')} → {ours.get(name, 'absent')}"
        for name in theirs.keys() | ours.keys()
        if theirs.get(name) != ours.get(name)
    }


def all_differences(theirs: Mapping[str, Shape], ours: Mapping[str, Shape]) -> set[str]:
    """What two sets of cases do not have in common, cases that only one has included."""
    found: set[str] = set()
    for case in theirs.keys() & ours.keys():
        found |= differences(case, theirs[case], ours[case])
    found |= {f"{case}: absent → there" for case in ours.keys() - theirs.keys()}
    return found | {f"{case}: there → absent" for case in theirs.keys() - ours.keys()}


def answered(client: Real, method: str, path: str, body: object = None, **more: Any) -> Shape:
    """The shape of an answer, with its status."""
    answer = client.call(method, path, body, **more)
    return {"status": str(answer.status), **shape(answer.body)}
