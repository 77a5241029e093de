"""Processes that are given a Redis server which Holdfast cannot use, or one that is away."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.commands.doctor_checks import examine
from deploy.commands.doctor_finding import FAULT
from deploy.local.embedded_redis import RedisBinary
from deploy.local.ports import LOOPBACK, free_port, is_free
from shared.errors import SettingsError
from shared.redis_check import require_usable
from shared.settings import Settings
from tests.support.servers.processes import wait_until
from tests.support.servers.redis_server import RedisServer

BUS_ABOVE = 10_000  # the second port of a cluster's node, above its first one
BUS_PORTS = range(61_000, 65_536)  # which the system gives to nobody who takes any port


def _port_of_a_node() -> int:
    ports = [port - BUS_ABOVE for port in BUS_PORTS]
    random.shuffle(ports)
    return next(
        port for port in ports if is_free(LOOPBACK, port) and is_free(LOOPBACK, port + BUS_ABOVE)
    )


@pytest.fixture
def cluster_node(redis_binary: RedisBinary) -> Iterator[str]:
    server = RedisServer(redis_binary, "cluster-enabled yes\n", _port_of_a_node())
    yield server.url
    server.stop()


@pytest.fixture
def without_password(redis_binary: RedisBinary) -> Iterator[str]:
    """The address of a server, with a password that it does not have."""
    server = RedisServer(redis_binary)
    with server.client() as client:
        client.config_set("requirepass", "")
    yield server.url
    server.stop()


@pytest.fixture
def sentinel(redis_binary: RedisBinary, tmp_path: Path) -> Iterator[str]:
    file, port = tmp_path / "sentinel.conf", free_port()
    file.write_text(f"port {port}\nbind {LOOPBACK}\ndir {tmp_path}\n")
    running = subprocess.Popen(
        [str(redis_binary.path), str(file), "--sentinel"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    wait_until(lambda: _is_open(port), within=20, what="the Sentinel")
    yield f"redis://{LOOPBACK}:{port}/0"
    running.terminate()
    running.wait(20)


def _is_open(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex((LOOPBACK, port)) == 0


def _settings(redis_url: str, *log_redis_urls: str) -> Settings:
    logs = {"LOG_REDIS_URLS": ",".join(log_redis_urls)} if log_redis_urls else {}
    return Settings.load({"REDIS_URL": redis_url, **logs})


def test_servers_that_can_be_used_are_accepted(each_redis_server: RedisServer) -> None:
    url = each_redis_server.url
    require_usable(_settings(url, url.removesuffix("0") + "1", url.removesuffix("0") + "2"))


def test_a_cluster_is_refused(each_redis_server: RedisServer, cluster_node: str) -> None:
    with pytest.raises(SettingsError, match=r"address 2: is a node of a Redis Cluster.*plain"):
        require_usable(_settings(each_redis_server.url, each_redis_server.url, cluster_node))


def test_a_sentinel_is_refused(sentinel: str) -> None:
    with pytest.raises(SettingsError, match="REDIS_URL: is a Sentinel, which holds no data"):
        require_usable(_settings(sentinel))


def test_a_sentinel_without_the_password_of_its_server_is_refused(sentinel: str) -> None:
    with pytest.raises(SettingsError, match="REDIS_URL: is a Sentinel, which holds no data"):
        require_usable(_settings(sentinel.replace("//", "//:secret@")))


def test_a_password_that_the_server_does_not_have_is_refused(without_password: str) -> None:
    with pytest.raises(SettingsError, match="REDIS_URL: has no password, and refuses the one"):
        require_usable(_settings(without_password))


def test_a_wrong_password_is_not_judged(each_redis_server: RedisServer) -> None:
    host = each_redis_server.url.rpartition("@")[2]
    require_usable(_settings(f"redis://:wrong@{host}"))


@pytest.mark.parametrize(
    ("process", "code"),
    [("web", 2), ("worker runs", 1), ("worker maintenance", 1), ("worker beat", 1)],
)
def test_no_process_starts_with_one(
    cluster_node: str, tmp_path: Path, process: str, code: int
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *process.split()],
        env={
            **os.environ,
            "HOLDFAST_HOME": str(tmp_path),
            "REDIS_URL": cluster_node,
            "DATABASE_URL": f"sqlite:///{tmp_path / 'some.db'}",
            "AUTH_DISABLED": "1",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stderr[-2000:]
    assert "REDIS_URL: is a node of a Redis Cluster" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_doctor_says_it_too(cluster_node: str, tmp_path: Path) -> None:
    settings = {"REDIS_URL": cluster_node, "HOLDFAST_HOME": str(tmp_path), "AUTH_DISABLED": "1"}
    found = [one for one in examine(Settings.load(settings)) if one.subject == "redis"]
    assert [one.state for one in found] == [FAULT]
    assert "the server at REDIS_URL is a node of a Redis Cluster" in found[0].detail


def test_one_that_is_away_is_not_judged() -> None:
    require_usable(_settings(f"redis://{LOOPBACK}:{free_port()}/0"))


def test_one_that_says_nothing_is_not_waited_for() -> None:
    with socket.socket() as silent:
        silent.bind((LOOPBACK, 0))
        silent.listen(8)
        begun = time.monotonic()
        require_usable(_settings(f"redis://{LOOPBACK}:{silent.getsockname()[1]}/0"))
    assert time.monotonic() - begun < 10
