"""The command `holdfast` and its doctor."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.cli import main
from deploy.commands import flower
from deploy.local.ports import free_port
from deploy.supervisor.prefixed_output import PrefixedOutput
from shared.settings import Settings
from tests.support.paths import ROOT


@pytest.fixture(autouse=True)
def empty_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    for name in ("REDIS_URL", "DATABASE_URL", "AUTH_TOKEN", "HERMES_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOLDFAST_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HERMES_URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("PORT", "0")
    os.umask(before := os.umask(0o077))
    yield tmp_path
    os.umask(before)  # `up` makes its files private


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


@pytest.mark.parametrize("name", ["token", "up.lock", "redis", "redis/port", "redis/server"])
def test_a_folder_in_the_place_of_a_file_of_the_home_is_said_in_a_line(
    name: str, empty_machine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = empty_machine / "home" / name
    path.mkdir(parents=True)
    if name == "redis":
        path.rmdir()
        path.touch()
    assert main(["up"]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"holdfast: {path}")
    assert said.count("\n") == 1


@pytest.mark.parametrize("content", [b"\xff\xfe\xfd", b"", b"a\nb\n", b"\0" * 40])
def test_a_damaged_token_is_said_in_a_line(
    content: bytes, empty_machine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (empty_machine / "home").mkdir()
    (empty_machine / "home" / "token").write_bytes(content)
    assert main(["up"]) == 1
    assert "delete it and start again" in capsys.readouterr().err


def command(*arguments: str, before: str = "", **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command of the shell that ends with `holdfast …`."""
    line = f"{before} exec {sys.executable} -P -m deploy.cli {' '.join(arguments)}"
    return subprocess.run(
        ["bash", "-c", line], capture_output=True, text=True, timeout=60, check=False, **options
    )


@pytest.mark.parametrize("call", ["doctor", "doctor --json", "version", "token alice"])
def test_output_that_cannot_be_written_is_no_traceback(call: str) -> None:
    """C21: a full disk, a closed output, and a reader that has gone."""
    full = command(call, ">/dev/full")
    assert (full.returncode, full.stderr) == (1, "holdfast: No space left on device\n")
    closed = command(call, ">&-")
    assert "Traceback" not in closed.stderr
    gone = command(call, "> >(exec true)", before="sleep 0.2 | true;")
    assert "Traceback" not in gone.stderr


@pytest.mark.parametrize("name", ["shared", "web", "worker"])
def test_packages_of_the_same_names_elsewhere_are_not_imported(
    name: str, monkeypatch: pytest.MonkeyPatch, empty_machine: Path
) -> None:
    """C20: PYTHONPATH of another project."""
    other = empty_machine / "project" / name
    other.mkdir(parents=True)
    (other / "__init__.py").write_text("raise RuntimeError('not this one')")
    monkeypatch.setenv("PYTHONPATH", f"{other.parent}:{ROOT}")
    assert command("doctor", before=f"cd {other.parent};").returncode == 0
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1")
    monkeypatch.setenv("PROFILES_FILE", "/nowhere")
    for role in ("web", "worker"):
        done = command(role, before=f"cd {other.parent};")
        assert "PROFILES_FILE: /nowhere" in done.stderr
        assert "not this one" not in done.stderr


@pytest.mark.parametrize("port", ["abc", "-1", "65536", "1.5", "\u0663", "5 5"])
def test_a_port_that_flower_cannot_have_is_said_in_a_line(
    port: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1")
    monkeypatch.setenv("FLOWER_PORT", port)
    assert main(["flower"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("holdfast: FLOWER_PORT: ")
    assert said.count("\n") == 1


def test_no_variable_of_flower_lets_others_in(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """C20."""
    names = ("ADDRESS", "UNIX_SOCKET", "AUTH", "AUTH_PROVIDER", "UNAUTHENTICATED_API", "CONF")
    for name in names:
        monkeypatch.setenv(f"FLOWER_{name}", "0.0.0.0")
    monkeypatch.setenv("FLOWER_URL_PREFIX", "jobs")
    monkeypatch.setenv("FLOWER_PORT", "")
    monkeypatch.setenv("FLOWER_BASIC_AUTH", "x:y")
    started: list[list[str]] = []
    monkeypatch.setattr("celery.Celery.start", lambda self, argv: started.append(argv))
    home = {"HOLDFAST_HOME": str(tmp_path)}
    flower.run(Settings.load({"REDIS_URL": "redis://h", **home}), "token")
    assert {"--address=127.0.0.1", "--port=5555"} <= {*started[0]}
    left = {name for name in os.environ if name.startswith("FLOWER_")}
    assert left == {"FLOWER_URL_PREFIX", "FLOWER_BASIC_AUTH"}
    assert os.environ["FLOWER_BASIC_AUTH"] == "holdfast:token"


def test_names_that_a_terminal_cannot_show_are_written_out(
    monkeypatch: pytest.MonkeyPatch, empty_machine: Path
) -> None:
    monkeypatch.setenv("HOLDFAST_HOME", str(empty_machine / "hömé"))
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    done = command("doctor")
    assert (done.returncode, done.stderr) == (0, "")
    assert "h\\xf6m\\xe9" in done.stdout


@pytest.mark.parametrize(
    "url", ["sqlite:////dev/zero", "sqlite:////nowhere/x.db", f"sqlite:////{'x' * 300}"]
)
def test_the_doctor_sees_what_can_be_no_database(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    assert main(["doctor"]) == 1
    assert "FAULT  database" in capsys.readouterr().out


def test_the_doctor_looks_at_every_redis_server_and_shows_no_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"redis://:hidden@127.0.0.1:{free_port()}"
    monkeypatch.setenv("LOG_REDIS_URLS", f"{url},{url}/1")
    monkeypatch.setenv("DATABASE_URL", "postgresql://127.0.0.1:1/d?password=hidden")
    assert main(["doctor"]) == 1
    shown = capsys.readouterr().out
    assert "LOG_REDIS_URLS, address 1 does not answer" in shown
    assert "LOG_REDIS_URLS, address 2 does not answer" in shown
    assert "hidden" not in shown


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
