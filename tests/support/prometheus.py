"""What processes show to Prometheus, and which of it a query needs. A query is read for the names,
labels and label values that it selects, not evaluated: that needs values over time."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import requests
from prometheus_client.parser import text_string_to_metric_families

SUFFIXES = re.compile(r"_(bucket|sum|count)$")
STRING = r'"(?:[^"\\]|\\.)*"'
INSIDE = rf"(?:[^{{}}\"]|{STRING})*"
SELECTED = re.compile(rf"\b(?P<name>[a-z_]\w*)\s*(?:\{{(?P<matchers>{INSIDE})\}})?")
MATCHER = re.compile(rf"(?P<label>\w+)\s*(?P<how>=~|!~|!=|=)\s*(?P<value>{STRING})")
GROUPED = re.compile(r"\b(?:by|without|on|ignoring)\s*\((?P<labels>[^)]*)\)")
WORDS = frozenset({"and", "by", "ignoring", "on", "or", "unless", "without"})
OF_PROMETHEUS = frozenset({"instance", "le"})


@dataclass(frozen=True)
class Selected:
    """One selector of a query, with the labels by which the query groups."""

    name: str
    equal: Mapping[str, str]
    labels: frozenset[str]


Scraped = Mapping[str, list[Mapping[str, str]]]  # name of a sample -> the labels of each


def scrape(url: str, token: str = "") -> dict[str, list[tuple[Mapping[str, str], float]]]:
    """Name of each sample -> its labels and values."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = requests.get(f"{url}/metrics", headers=headers, timeout=10)
    answer.raise_for_status()
    found: dict[str, list[tuple[Mapping[str, str], float]]] = defaultdict(list)
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            found[sample.name].append((sample.labels, sample.value))
    return dict(found)


def selected(query: str) -> list[Selected]:
    """The selectors of a query in PromQL."""
    grouped = {word.strip() for one in GROUPED.finditer(query) for word in one["labels"].split(",")}
    bare = re.sub(r"\[[^\]]*\]", "", GROUPED.sub(" ", query))
    found = []
    for one in SELECTED.finditer(bare):
        if one["name"] in WORDS or bare[one.end() :].lstrip().startswith("("):
            continue
        matchers = [*MATCHER.finditer(one["matchers"] or "")]
        equal = {m["label"]: m["value"][1:-1] for m in matchers if m["how"] == "="}
        labels = {m["label"] for m in matchers} | (grouped - {""})
        found.append(Selected(one["name"], equal, frozenset(labels)))
    return found


def faults(query: str, scraped: Mapping[str, Iterable[Mapping[str, str]]]) -> list[str]:
    """What the query selects and the processes do not have."""
    found = []
    for one in selected(query):
        series = [
            labels
            for labels in scraped.get(one.name, ())
            if all(labels.get(name) == value for name, value in one.equal.items())
        ]
        if not series:
            found.append(f"nothing has {one.name}{dict(one.equal) or ''}")
            continue
        missing = one.labels - OF_PROMETHEUS - frozenset().union(*series)
        found += [f"{one.name} has no label {label}" for label in sorted(missing)]
    return found
