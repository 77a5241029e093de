"""What the doctor says of the gateways of all profiles."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.commands.doctor_finding import NOTE, OK
from deploy.commands.doctor_gateways import gateway_findings
from deploy.local.ports import free_port
from shared.settings import Settings
from tests.support.gateways.demo_gateway import DemoGateway

KEY = "a-key-for-the-doctor"


@pytest.fixture(scope="module")
def gateways() -> Iterator[tuple[DemoGateway, DemoGateway]]:
    """An old one, and one with everything."""
    with (
        DemoGateway.start(key=KEY, no_sessions=True) as old,
        DemoGateway.start(key=KEY, replay=True, idempotent=True) as new,
    ):
        yield old, new


def findings(
    folder: Path, gateways: tuple[DemoGateway, DemoGateway], home: str = ""
) -> dict[str, tuple[str, str, str]]:
    old, new = gateways
    tables = {
        "default": {"url": old.url, "api_key": KEY, "home": home},
        "new": {"url": new.url, "api_key": KEY},
        "wrong": {"url": new.url, "api_key": "a-wrong-key"},
        "away": {"url": f"http://127.0.0.1:{free_port()}"},
    }
    lines = [
        f"[profiles.{name}]\n" + "".join(f'{key} = "{value}"\n' for key, value in table.items())
        for name, table in tables.items()
    ]
    file = folder / "profiles.toml"
    file.write_text("".join(lines))
    settings = Settings.load(
        {
            "HOLDFAST_HOME": str(folder),
            "HERMES_HOME": str(folder / "no-hermes"),
            "PROFILES_FILE": str(file),
        }
    )
    found = list(gateway_findings(settings))
    return {f.detail.split(":")[0].split()[-1]: (f.state, f.detail, f.advice) for f in found}


def test_what_will_be_missing_is_a_note_with_advice(
    tmp_path: Path, gateways: tuple[DemoGateway, DemoGateway]
) -> None:
    found = findings(tmp_path, gateways)
    assert found.keys() == {"default", "new"}, "only those that answer and know the key"
    state, detail, advice = found["default"]
    assert state == NOTE
    assert "results of tools, and reasoning" in detail
    assert "HERMES_HOME" in advice
    state, detail, advice = found["new"]
    assert (state, advice) == (OK, "")
    assert "over HTTP; streams can be read again; keeps idempotency keys" in detail


def test_a_home_that_is_here_is_all_that_an_old_one_needs(
    tmp_path: Path, gateways: tuple[DemoGateway, DemoGateway]
) -> None:
    home = tmp_path / "hermes"
    home.mkdir()
    state, detail, _ = findings(tmp_path, gateways, str(home))["default"]
    assert (state, detail) == (OK, f"profile default: from {home}/state.db")
    assert findings(tmp_path, gateways, str(tmp_path / "typo"))["default"][0] == NOTE
