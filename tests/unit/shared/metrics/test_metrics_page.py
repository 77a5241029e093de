"""docs/METRICS.md names what processes show, and nothing else."""

import re

import pytest

from shared.metrics.instruments import Registry
from shared.metrics.page import REGISTRIES, page
from tests.support.paths import ROOT


def test_the_page_is_the_one_that_the_registries_make() -> None:
    assert (ROOT / "docs" / "METRICS.md").read_text("utf-8") == page()


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda registry: registry.role)
def test_names_say_their_kind_and_unit(registry: Registry) -> None:
    for one in registry.defined:
        assert re.fullmatch(r"[a-z][a-z0-9_]+", one.name)
        assert one.name.endswith("_total") == (one.kind == "counter"), one.name
        assert one.text.endswith("."), one.name


def test_no_name_is_used_twice() -> None:
    names = [one.name for registry in REGISTRIES for one in registry.defined]
    assert len(names) == len({*names})


def test_a_value_that_cannot_be_read_leaves_the_others(caplog: pytest.LogCaptureFixture) -> None:
    registry = Registry("a test")
    broken, whole = (registry.observed_gauge(name, "Text.") for name in ("broken", "whole"))

    def fail() -> float:
        raise KeyError("gone")

    broken.value_from(fail)
    whole.value_from(lambda: 3)
    samples = [sample for family in registry.prometheus.collect() for sample in family.samples]
    assert [(sample.name, sample.value) for sample in samples] == [("whole", 3)]
    assert "metrics.unread name=broken" in caplog.text
