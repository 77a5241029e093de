"""The supervisor on real processes that behave badly."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from tests.support.servers.processes import Processes, RunningProcess, is_alive, wait_until

Start = Callable[..., RunningProcess]


@pytest.fixture(autouse=True)
def _terminal() -> Iterator[None]:
    """As started from a terminal: below `nohup` processes ignore that it was closed."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def start(processes: Processes, tmp_path: Path) -> Start:
    def start_stack(*roles: str) -> RunningProcess:
        stack = processes.start_module(
            "stack", "tests.support.servers.fake_stack", str(tmp_path), *roles, environment={}
        )
        stack.wait_for_log("all ready")
        return stack

    return start_stack


def pids_of(folder: Path, role: str) -> list[int]:
    file = folder / f"{role}.pids"
    return [int(line) for line in file.read_text().split()] if file.exists() else []


def wait_until_gone(pids: list[int]) -> None:
    assert pids
    wait_until(lambda: not any(map(is_alive, pids)), within=10, what=f"{pids} are gone")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_every_role_and_the_supervisor(
    start: Start, tmp_path: Path, number: signal.Signals
) -> None:
    stack = start("calm", "parent")
    pids = pids_of(tmp_path, "calm") + pids_of(tmp_path, "parent")
    stack.signal(number)
    assert stack.wait() == 0
    assert not any(map(is_alive, pids))
    assert "all stopped" in stack.log()


def test_a_role_that_ignores_sigterm_is_killed_after_its_grace(
    start: Start, tmp_path: Path
) -> None:
    stack = start("stubborn")
    stack.signal(signal.SIGTERM)
    assert stack.wait() == 0
    assert not any(map(is_alive, pids_of(tmp_path, "stubborn")))
    assert "role.killed role=stubborn" in stack.log()


def test_a_second_signal_ends_at_once_what_the_first_one_waits_for(
    start: Start, tmp_path: Path
) -> None:
    stack = start("patient", "calm")
    stack.signal(signal.SIGINT)
    wait_until(lambda: not is_alive(pids_of(tmp_path, "calm")[0]))
    assert is_alive(pids_of(tmp_path, "patient")[0])
    stack.signal(signal.SIGINT)
    assert stack.wait() == 0
    assert not is_alive(pids_of(tmp_path, "patient")[0])


def test_what_a_dead_role_leaves_behind_is_ended_and_the_role_starts_again(
    start: Start, tmp_path: Path
) -> None:
    start("parent", "calm")
    wait_until(lambda: len(pids_of(tmp_path, "parent")) == 2)
    leader, grandchild = pids_of(tmp_path, "parent")
    os.kill(leader, signal.SIGKILL)
    wait_until(lambda: len(pids_of(tmp_path, "parent")) == 4, what="the role plays again")
    assert not is_alive(grandchild)
    assert len(pids_of(tmp_path, "calm")) == 1


def test_nothing_outlives_a_supervisor_that_was_killed(start: Start, tmp_path: Path) -> None:
    stack = start("redis", "calm", "stubborn", "parent")
    wait_until(lambda: len(pids_of(tmp_path, "parent")) == 2)
    server = int((tmp_path / "redis" / "redis.pid").read_text())
    pids = [pid for role in ("calm", "stubborn", "parent") for pid in pids_of(tmp_path, role)]
    stack.kill()
    wait_until_gone([*pids, server])


def test_a_role_that_cannot_start_is_reported_and_everything_is_ended(
    processes: Processes, tmp_path: Path
) -> None:
    stack = processes.start_module(
        "stack", "tests.support.servers.fake_stack", str(tmp_path), "calm", "hasty", environment={}
    )
    assert stack.wait(within=20) == 1
    assert "failed: hasty ended 3 times" in stack.log()
    assert "hasty    | cannot start" in stack.log()
    assert not any(map(is_alive, pids_of(tmp_path, "calm")))


def test_a_role_that_closes_its_output_costs_no_cpu(start: Start, tmp_path: Path) -> None:
    stack = start("mute")
    before = os.times()  # the supervisor's own use is read from /proc
    ticks = cpu_ticks(stack.pid)
    wait_until(lambda: os.times().elapsed - before.elapsed > 1.0)
    assert cpu_ticks(stack.pid) - ticks < 20  # of about 100 in a second of a busy loop


def cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_a_long_line_is_shown_in_pieces_and_what_follows_it_too(start: Start) -> None:
    stack = start("chatty")
    stack.wait_for_log("chatty   | and more")
    assert stack.log().count("x") >= 100_000


def test_the_embedded_server_starts_again_with_its_data_after_it_died(
    start: Start, tmp_path: Path
) -> None:
    start("redis", "calm")
    password = (tmp_path / "redis" / "password").read_text().strip()
    port = int((tmp_path / "redis" / "port").read_text())
    with redis.Redis(port=port, password=password) as client:
        client.xadd("log", {"d": "kept"}, id="1-0")
        pid = client.info("server")["process_id"]
        client.execute_command("WAITAOF", 1, 0, 2000)
    os.kill(pid, signal.SIGKILL)

    def kept() -> bool:
        with redis.Redis(port=port, password=password) as again:
            try:
                return bool(again.xlen("log"))
            except redis.RedisError:
                return False

    wait_until(kept, within=15, what="the log is back")
    assert not is_alive(pid)


def test_a_disk_that_is_full_ends_neither_the_roles_nor_the_supervisor(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.support.servers.fake_stack", str(tmp_path)]
    with Path("/dev/full").open("w") as full:
        stack = subprocess.Popen([*command, "chatty", "calm"], stdout=full, stderr=full)
    wait_until(lambda: pids_of(tmp_path, "calm"), what="the roles run")
    assert not ended_within(stack, 1.5)
    stack.send_signal(signal.SIGTERM)
    assert stack.wait(20) == 0
    wait_until_gone(pids_of(tmp_path, "calm") + pids_of(tmp_path, "chatty"))


def ended_within(process: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def test_a_terminal_that_is_closed_stops_the_roles_as_ctrl_c_does(
    start: Start, tmp_path: Path
) -> None:
    stack = start("patient", "calm")
    stack.signal(signal.SIGHUP)
    wait_until(lambda: not is_alive(pids_of(tmp_path, "calm")[0]))
    stack.signal(signal.SIGHUP)
    stack.signal(signal.SIGHUP)
    wait_until_quiet()
    assert is_alive(pids_of(tmp_path, "patient")[0])
    stack.signal(signal.SIGTERM)
    assert stack.wait() == 0


def wait_until_quiet() -> None:
    """Longer than the supervisor takes to notice a signal."""
    began = time.monotonic()
    wait_until(lambda: time.monotonic() - began > 0.5)


def test_one_that_was_started_with_nohup_goes_on(tmp_path: Path) -> None:
    command = ["nohup", sys.executable, "-m", "tests.support.servers.fake_stack", str(tmp_path)]
    with (tmp_path / "log").open("w") as log:
        stack = subprocess.Popen([*command, "calm"], stdout=log, stderr=log)
    wait_until(lambda: "all ready" in (tmp_path / "log").read_text())
    stack.send_signal(signal.SIGHUP)
    assert not ended_within(stack, 0.5)
    assert is_alive(pids_of(tmp_path, "calm")[0])
    stack.send_signal(signal.SIGTERM)
    assert stack.wait(20) == 0


def test_a_role_that_runs_and_no_longer_answers_is_started_again(
    start: Start, tmp_path: Path
) -> None:
    stack = start("deaf", "calm")
    wait_until(lambda: len(pids_of(tmp_path, "deaf")) >= 2, what="another process")
    assert not is_alive(pids_of(tmp_path, "deaf")[0])
    assert "role.deaf role=deaf" in stack.log()
    assert len(pids_of(tmp_path, "calm")) == 1
    stack.signal(signal.SIGTERM)
    assert stack.wait() == 0
