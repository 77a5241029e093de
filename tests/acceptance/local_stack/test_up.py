"""`holdfast up` as a person starts it: from an empty folder, and again."""

import contextlib
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.local.ports import free_port
from tests.support.servers.processes import (
    Processes,
    RunningProcess,
    is_alive,
    wait_for_http,
    wait_until,
)

Up = Callable[..., RunningProcess]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def up(processes: Processes, home: Path) -> Iterator[Up]:
    """Starts `holdfast up` on the home; nothing of it may be left when the test is over."""
    theirs = ("REDIS_URL", "DATABASE_URL", "AUTH_TOKEN", "AUTH_DISABLED", "HERMES_API_KEY")
    environment = {name: text for name, text in os.environ.items() if name not in theirs}
    environment |= {
        "HOLDFAST_HOME": str(home),
        "HERMES_URL": f"http://127.0.0.1:{free_port()}",
    }

    def start(*options: str) -> RunningProcess:
        name = f"up.{len(processes.started)}"
        command = (sys.executable, "-m", "deploy.cli", "up", "--port", "0", *options)
        return processes.start(name, command, environment)

    yield start
    processes.stop_all()
    wait_until(lambda: not processes_of(home), within=20, what="no process of the home is left")


def processes_of(home: Path) -> list[int]:
    """The ids of all processes whose environment names the home."""
    mark = f"HOLDFAST_HOME={home}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            variables = (folder / "environ").read_bytes().split(b"\0")
        except OSError:  # it ended meanwhile, or is another account's
            continue
        if mark in variables and is_alive(int(folder.name)):
            found.append(int(folder.name))
    return found


def command_lines(home: Path) -> dict[int, str]:
    """The command line of each process of the home."""
    lines = {}
    for pid in processes_of(home):
        with contextlib.suppress(OSError):  # it ended meanwhile
            lines[pid] = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").strip()
    return lines


def webs(home: Path) -> list[int]:
    """The ids of the web processes."""
    return [pid for pid, line in command_lines(home).items() if line.endswith("-m web")]


def banner_row(stack: RunningProcess, row: str) -> str:
    stack.wait_for_log("stop      Ctrl-C", within=60)
    found = re.search(rf"^  {row} +(\S+)", stack.log(), re.MULTILINE)
    assert found is not None
    return found[1]


def test_it_starts_from_nothing_prints_its_address_and_ctrl_c_leaves_no_process(
    up: Up, home: Path
) -> None:
    stack = up()
    address = banner_row(stack, "address")
    assert wait_for_http(f"{address}/healthz").status_code == 200
    assert banner_row(stack, "token") == (home / "token").read_text().strip()
    assert "DEMO" in stack.log()
    assert home.stat().st_mode & 0o777 == 0o700
    password = (home / "redis" / "password").read_text().strip()
    assert not any(password in line for line in [*command_lines(home).values(), stack.log()])
    stack.signal(signal.SIGINT)
    assert stack.wait(within=30) == 0
    assert processes_of(home) == []


def test_a_second_one_on_the_same_home_is_refused(up: Up) -> None:
    first = up()
    address = banner_row(first, "address")
    second = up()
    assert second.wait(within=20) == 1
    assert "already runs on" in second.log()
    assert address in second.log()
    assert first.returncode is None


def test_a_second_start_finds_the_first_one_s_data(up: Up, home: Path) -> None:
    first = up()
    token = banner_row(first, "token")
    first.signal(signal.SIGTERM)
    assert first.wait(within=30) == 0
    database = (home / "holdfast.db").stat().st_ino
    second = up()
    assert banner_row(second, "token") == token
    assert (home / "holdfast.db").stat().st_ino == database
    assert list((home / "redis" / "appendonlydir").iterdir())


def test_a_web_process_that_died_is_started_again_on_the_same_address(up: Up, home: Path) -> None:
    stack = up("--web", "3")
    address = banner_row(stack, "address")
    wait_until(lambda: len(webs(home)) == 3, what="three web processes")
    os.kill(webs(home)[0], signal.SIGKILL)
    stack.wait_for_log("role.exited role=web.")
    wait_until(lambda: len(webs(home)) == 3, within=20, what="three again")
    wait_for_http(f"{address}/healthz")


def test_a_killed_one_leaves_no_process_and_its_home_can_be_used_at_once(
    up: Up, home: Path
) -> None:
    stack = up()
    banner_row(stack, "address")
    stack.kill()
    wait_until(lambda: processes_of(home) == [], within=20, what="nothing is left")
    banner_row(up(), "address")
