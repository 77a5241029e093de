"""The units of systemd: one for each role, hardened, with the time that the drains take."""

import re
from configparser import ConfigParser
from pathlib import Path

import pytest

from shared.settings import Settings
from tests.support.paths import ROOT

UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
ROLES = {"web", "worker", "maintenance", "beat", "flower", "migrate"}
HARDENED = {
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "CapabilityBoundingSet": "",
    "MemoryDenyWriteExecute": "yes",
    "User": "holdfast",
}


def role_of(unit: Path) -> str:
    return unit.stem.removeprefix("holdfast-").rstrip("@")


def service(unit: Path) -> dict[str, str]:
    """The section `Service`; of settings that come twice, the last."""
    found = ConfigParser(strict=False, interpolation=None)
    found.optionxform = str  # type: ignore[assignment]
    found.read(unit)
    return dict(found["Service"])


def test_there_is_a_unit_for_each_role() -> None:
    assert {role_of(unit) for unit in UNITS} == ROLES


@pytest.mark.parametrize("unit", UNITS, ids=role_of)
def test_a_unit_runs_its_role_and_may_do_little_else(unit: Path) -> None:
    found = service(unit)
    assert found["ExecStart"] == f"/opt/holdfast/bin/holdfast {role_of(unit)}"
    assert {name: found.get(name) for name in HARDENED} == HARDENED


@pytest.mark.parametrize("unit", UNITS, ids=role_of)
def test_systemd_is_told_when_a_role_is_ready_and_while_it_lives(unit: Path) -> None:
    found = service(unit)
    if role_of(unit) in {"flower", "migrate"}:
        assert found["Type"] in {"exec", "oneshot"}
        return
    assert found["Type"] == "notify"
    assert seconds(found["WatchdogSec"]) >= 20
    assert found["Restart"] == "always"


def test_a_role_gets_the_time_that_its_drain_takes() -> None:
    stop = {role_of(u): seconds(service(u).get("TimeoutStopSec", "90s")) for u in UNITS}
    settings = Settings.load({})
    assert stop["web"] >= settings.web_drain.total_seconds() + 10
    assert stop["worker"] >= settings.drain.total_seconds() + 20


def seconds(text: str) -> float:
    found = re.fullmatch(r"(\d+)s", text)
    assert found, text
    return float(found[1])
