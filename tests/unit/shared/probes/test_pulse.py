"""What a process says of itself reaches a reader, while it lives and as it is."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from deploy.commands.probe import probe
from deploy.errors import DeployError
from shared.probes import reading
from shared.probes.pulse import FOLDER, Pulse
from shared.probes.reading import processes
from tests.support.paths import ROOT
from tests.support.servers.processes import wait_until

OTHER = """
import sys, time
from pathlib import Path
from shared.probes.pulse import Pulse
pulse = Pulse("worker", Path(sys.argv[1]), live=lambda: {}, ready=lambda: {})
pulse.start()
print("started", flush=True)
time.sleep(600)
"""


@pytest.fixture
def other(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that says that it lives."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-c", OTHER, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def pulse(home: Path, live: Mapping[str, bool], ready: Mapping[str, bool]) -> Pulse:
    return Pulse("worker", home, live=lambda: live, ready=lambda: ready)


def test_a_process_that_is_well_lives_and_is_ready_once_it_has_asked(tmp_path: Path) -> None:
    asked = threading.Event()

    def ready() -> Mapping[str, bool]:
        asked.wait(10)
        return {"redis": True}

    mine = Pulse("worker", tmp_path, live=lambda: {"loop": True}, ready=ready)
    mine.start()
    try:
        (said,) = processes(tmp_path)
        assert (said.role, said.pid, said.live) == ("worker", os.getpid(), ())
        assert said.ready == ("it has only just started",)
        asked.set()
        wait_until(lambda: not processes(tmp_path)[0].ready, what="it has asked")
        assert probe(tmp_path, "ready", "worker") == [f"worker {os.getpid()}: ready"]
    finally:
        mine.stop()
    assert processes(tmp_path) == []


def test_a_dependency_that_fails_makes_it_unready_and_no_less_alive(tmp_path: Path) -> None:
    mine = pulse(tmp_path, {"loop": True}, {"redis": False, "database": True})
    mine.start()
    mine.ask()
    mine.beat()
    try:
        assert probe(tmp_path, "live", "") == [f"worker {os.getpid()}: live"]
        with pytest.raises(DeployError, match=r"not ready: worker \d+: redis$"):
            probe(tmp_path, "ready", "worker")
    finally:
        mine.stop()


def test_a_loop_that_ended_makes_it_neither_alive_nor_ready(tmp_path: Path) -> None:
    mine = pulse(tmp_path, {"loop": False, "other": True}, {})
    mine.start()
    try:
        for kind in ("live", "ready"):
            with pytest.raises(DeployError, match="loop"):
                probe(tmp_path, kind, "worker")
    finally:
        mine.stop()


def test_none_of_a_role_is_no_life(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="no beat runs"):
        probe(tmp_path, "live", "beat")


def test_a_process_that_stands_still_does_not_live(
    tmp_path: Path, other: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "STALE", 2.0)
    assert probe(tmp_path, "live", "worker") == [f"worker {other.pid}: live"]
    other.send_signal(signal.SIGSTOP)
    wait_until(lambda: processes(tmp_path)[0].live, what="it is found to stand still")
    other.send_signal(signal.SIGCONT)
    wait_until(lambda: not processes(tmp_path)[0].live, what="it goes on")


def test_the_file_of_a_killed_process_counts_for_nothing(
    tmp_path: Path, other: subprocess.Popen[str]
) -> None:
    assert [said.pid for said in processes(tmp_path)] == [other.pid]
    other.kill()
    other.wait()
    assert processes(tmp_path) == []
    assert list((tmp_path / FOLDER).iterdir()) == []


def test_what_is_no_file_of_a_process_makes_nobody_live(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "worker.1").write_text("{")
    with pytest.raises(DeployError):
        probe(tmp_path, "live", "worker")


def test_a_home_that_cannot_be_written_stops_no_process(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    mine = pulse(tmp_path / "file", {}, {})
    mine.start()
    mine.stop()
    mine.stop()


def test_systemd_is_told_of_start_life_and_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        receiver.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        lives = {"loop": True}
        mine = pulse(tmp_path, lives, {})
        mine.beat()
        lives["loop"] = False
        mine.beat()
        mine.stop()
        assert [receiver.recv(100) for _ in range(2)] == [b"WATCHDOG=1", b"STOPPING=1"]
        mine = pulse(tmp_path, {}, {})
        mine.start()
        assert [receiver.recv(100) for _ in range(2)] == [b"WATCHDOG=1", b"READY=1"]
        mine.stop()
