"""The alert rules and the dashboard, as files."""

import json
import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from shared.metrics.page import REGISTRIES
from tests.support.paths import ROOT
from tests.support.prometheus import SUFFIXES, faults, selected

MONITORING = ROOT / "deploy" / "monitoring"
RULES = MONITORING / "alerts.yml"
KINDS = {one.name: one for registry in REGISTRIES for one in registry.defined}


def rules() -> list[dict[str, Any]]:
    """The alert rules."""
    (group,) = yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    return list(group["rules"])


def queries() -> list[str]:
    """Those of the dashboard and of the rules."""
    dashboard = json.loads((MONITORING / "grafana" / "holdfast.json").read_text("utf-8"))
    shown = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    return [*shown, *(rule["expr"] for rule in rules())]


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_a_rule_is_whole_and_the_runbook_says_what_to_do(rule: dict[str, Any]) -> None:
    assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
    assert re.fullmatch(r"\d+[smh]", rule["for"])
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert set(rule["annotations"]) == {"summary", "description"}
    assert f"\n| `{rule['alert']}` | " in (ROOT / "docs" / "RUNBOOK.md").read_text("utf-8")


@pytest.mark.skipif(shutil.which("promtool") is None, reason="Prometheus is not installed")
def test_prometheus_takes_the_rules() -> None:
    done = subprocess.run(
        ["promtool", "check", "rules", RULES], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("query", queries())
def test_a_query_is_about_metrics_and_labels_that_there_are(query: str) -> None:
    wanted = selected(query)
    assert wanted
    for one in wanted:
        name = one.name if one.name in KINDS else SUFFIXES.sub("", one.name)
        assert name in KINDS, one.name
        assert one.labels - {"instance", "le"} <= {*KINDS[name].labels}, one


def test_the_panels_do_not_cover_each_other() -> None:
    dashboard = json.loads((MONITORING / "grafana" / "holdfast.json").read_text("utf-8"))
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in dashboard["panels"]]
    assert len(places) == len({*places}) == len(dashboard["panels"])


def test_a_name_a_value_or_a_label_that_nobody_has_is_found() -> None:
    scraped = {"there_total": [{"kind": "a"}]}
    assert faults('sum by (kind) (rate(there_total{kind="a"}[5m]))', scraped) == []
    assert faults("gone_total > 0", scraped)
    assert faults('there_total{kind="b"}', scraped)
    assert faults("sum by (color) (there_total)", scraped)
