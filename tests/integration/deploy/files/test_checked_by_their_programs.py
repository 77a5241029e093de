"""The files for nginx, Caddy and systemd, checked by these programs themselves."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.servers.proxies import (
    CADDYFILE,
    caddy_environment,
    find_program,
    nginx_says,
)

UNITS = ROOT / "deploy" / "systemd"
EXPOSURE = "20"  # of 100, by `systemd-analyze security`: the services have 14


def program(name: str) -> str:
    found = find_program(name)
    if found is None:
        pytest.skip(f"no {name}")
    return found


def output(*command: str, **options: object) -> tuple[int, str]:
    done = subprocess.run(command, check=False, capture_output=True, text=True, **options)  # type: ignore[call-overload]
    return done.returncode, done.stdout + done.stderr


def test_nginx_takes_its_files_as_they_are() -> None:
    code, said = nginx_says(program("nginx"))
    assert code == 0, said
    assert "[warn]" not in said


def test_caddy_takes_its_file_and_finds_it_formatted(tmp_path: Path) -> None:
    caddy = program("caddy")
    environment = caddy_environment(tmp_path, "chat.example.org", "10.0.0.4:8648 10.0.0.5:8648")
    code, said = output(
        *(caddy, "validate", "--adapter", "caddyfile", "--config", str(CADDYFILE)),
        env=environment,
    )
    assert code == 0, said
    assert output(caddy, "fmt", str(CADDYFILE)) == (0, CADDYFILE.read_text("utf-8"))


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units in a folder, with a program that exists on this machine."""
    for file in (*UNITS.glob("*.service"), *UNITS.glob("*.target")):
        text = file.read_text("utf-8").replace("/opt/holdfast/bin/holdfast", "/bin/true")
        (tmp_path / file.name).write_text(text)
    return tmp_path


@pytest.mark.parametrize("name", sorted(file.name for file in UNITS.glob("*.service")))
def test_systemd_finds_no_fault_in_a_unit(units: Path, name: str) -> None:
    analyze = program("systemd-analyze")
    unit = units / name.replace("@.", "@8651.")
    if "@" in name:
        shutil.copy(units / name, unit)
    verified = output(analyze, "verify", "--man=no", "--recursive-errors=no", str(unit))
    assert verified == (0, "")
    code, said = output(
        *(analyze, "security", "--offline=yes", f"--threshold={EXPOSURE}", str(unit)),
        env={"SYSTEMD_COLORS": "0", "PATH": "/usr/bin:/bin"},
    )
    assert code == 0, said[-200:]
