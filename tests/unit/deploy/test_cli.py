"""The command `holdfast` and its doctor."""

import io
import json
from pathlib import Path

import pytest

from deploy.cli import main
from deploy.local.ports import free_port
from deploy.supervisor.prefixed_output import PrefixedOutput
from tests.support.paths import ROOT


@pytest.fixture(autouse=True)
def empty_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in ("REDIS_URL", "DATABASE_URL", "AUTH_TOKEN", "HERMES_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOLDFAST_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HERMES_URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("PORT", "0")
    return tmp_path


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    assert capsys.readouterr().out.strip() == "0.1.0"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://127.0.0.1:1/d",
        "postgresql+asyncpg://127.0.0.1:1/d?connect_timeout=x",
        "sqlite:////nowhere/at/all/data.db",
        "sqlite:////dev/null",
    ],
)
def test_a_database_that_cannot_be_used_is_said_in_a_line(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    assert main(["migrate"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("holdfast: the database ")
    assert said.count("\n") == 1


@pytest.mark.parametrize("role", ["web", "worker", "maintenance", "beat", "flower"])
def test_a_role_without_a_redis_says_what_to_do(
    role: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([role]) == 1
    assert "REDIS_URL is not set" in capsys.readouterr().err


def test_every_line_of_the_procfile_is_a_command_of_its_name() -> None:
    lines = (ROOT / "Procfile").read_text().splitlines()
    roles = dict(line.split(": holdfast ") for line in lines)
    assert list(roles) == ["web", "worker", "maintenance", "beat", "flower"]
    for name, called in roles.items():
        assert called == name
        with pytest.raises(SystemExit, match="0"):
            main([called, "--help"])


def test_invalid_settings_are_reported_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PORT", "many")
    assert main(["up"]) == 1
    assert "PORT: 'many' is not a number" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["up", "--web", "0"], ["up", "--port", "x"]])
def test_a_wrong_command_line_is_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)


def test_the_demo_gateway_gets_all_options_that_follow_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    executed: list[str] = []
    monkeypatch.setattr("os.execve", lambda path, command, environ: executed.extend(command))
    main(["demo-gateway", "--port", "0", "--help"])
    assert executed[-4:] == ["deploy.demo_gateway", "--port", "0", "--help"]


def test_the_doctor_reports_an_empty_machine_as_ready(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is True
    states = {finding["subject"]: finding["state"] for finding in report["findings"]}
    assert states["python"] == states["libraries"] == states["redis"] == "ok"
    assert states["database"] == states["gateway"] == "note"


def test_the_doctor_names_what_is_missing_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REDIS_URL", f"redis://:hidden@127.0.0.1:{free_port()}/0")
    monkeypatch.setenv("DATABASE_URL", f"postgresql://u:hidden@127.0.0.1:{free_port()}/x")
    assert main(["doctor"]) == 1
    shown = capsys.readouterr().out
    assert "FAULT  redis        REDIS_URL does not answer" in shown
    assert "FAULT  database" in shown
    assert "hidden" not in shown


def test_after_migrate_the_doctor_finds_the_schema_current(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["migrate"]) == 0
    assert main(["doctor"]) == 0
    assert "schema current" in capsys.readouterr().out


def test_lines_carry_the_name_of_their_role() -> None:
    stream = io.StringIO()
    output = PrefixedOutput(stream, coloured=False)
    output.add_role("maintenance")
    output.write_line("maintenance", "one")
    output.write_line("web", "two")
    assert stream.getvalue() == "maintenance | one\nweb         | two\n"


def test_a_terminal_that_went_away_harms_nothing() -> None:
    stream = io.StringIO()
    stream.close()
    PrefixedOutput(stream, coloured=True).write_own_line("nobody reads this")
