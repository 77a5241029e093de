"""What Holdfast needs of a Redis-protocol server, on each server it may start."""

from pathlib import Path

import pytest
import redis
from kombu.connection import Connection

from deploy.local import embedded_redis
from deploy.local.embedded_redis import (
    EmbeddedRedis,
    RedisBinary,
    binary_for,
    find_binary,
    packaged_binary,
)
from tests.support.servers.redis_server import RedisServer


def test_it_persists_and_never_evicts(each_redis_server: RedisServer) -> None:
    with each_redis_server.client(decode_responses=True) as client:
        assert client.config_get("appendonly")["appendonly"] == "yes"
        assert client.config_get("appendfsync")["appendfsync"] == "everysec"
        assert client.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
        limits = client.config_get("client-output-buffer-limit")["client-output-buffer-limit"]
    assert f"pubsub {256 * 2**20} {64 * 2**20} 60" in limits


def test_it_listens_on_the_loopback_interface_only_and_asks_for_the_password(
    each_redis_server: RedisServer,
) -> None:
    with each_redis_server.client(decode_responses=True) as client:
        assert client.config_get("bind")["bind"] == "127.0.0.1"
    with (
        redis.Redis(port=each_redis_server.port) as stranger,
        pytest.raises(redis.AuthenticationError),
    ):
        stranger.ping()


def test_a_clean_restart_and_a_crash_keep_the_data(each_redis_server: RedisServer) -> None:
    with each_redis_server.client() as client:
        client.xadd("kept", {"d": "one"}, id="1-0")
    each_redis_server.restart()
    with each_redis_server.client() as client:
        client.xadd("kept", {"d": "two"}, id="2-0")
    each_redis_server.kill()
    each_redis_server.restart()
    with each_redis_server.client() as client:
        assert [entry for entry, _ in client.xrange("kept")] == [b"1-0", b"2-0"]


def test_celery_s_transport_can_use_its_address(each_redis_server: RedisServer) -> None:
    with Connection(each_redis_server.url) as connection:
        queue = connection.SimpleQueue("holdfast-contract")
        queue.put({"run_id": "r1"})
        message = queue.get(timeout=5)
        assert message.payload == {"run_id": "r1"}
        message.ack()
        queue.close()


def test_preparing_it_again_finds_password_and_port_again(tmp_path: Path) -> None:
    first = EmbeddedRedis.prepare(packaged_binary(), tmp_path)
    assert EmbeddedRedis.prepare(packaged_binary(), tmp_path) == first


def test_its_password_is_for_the_owner_only_and_in_no_command_line(tmp_path: Path) -> None:
    server = EmbeddedRedis.prepare(packaged_binary(), tmp_path / "redis")
    assert not any(server.password in word for word in server.command)
    assert server.directory.stat().st_mode & 0o777 == 0o700
    for file in (server.configuration_file, server.directory / "password"):
        assert file.stat().st_mode & 0o777 == 0o600


def test_the_server_that_wrote_the_data_reads_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    EmbeddedRedis.prepare(packaged_binary(), tmp_path / "packaged")
    older = RedisBinary(Path("/usr/bin/redis-server"), "system")
    monkeypatch.setattr(embedded_redis, "system_binary", lambda: older)
    assert binary_for(tmp_path / "packaged") == packaged_binary()
    assert binary_for(tmp_path / "new") == older


def test_a_system_s_server_that_is_too_old_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    old, newer = tmp_path / "redis-server", tmp_path / "valkey-server"
    old.write_text("#!/bin/sh\necho 'Redis server v=6.0.16 sha=00000000:0 malloc=libc'\n")
    old.chmod(0o755)
    assert find_binary() == packaged_binary()
    newer.write_text(
        "#!/bin/sh\necho 'Valkey server v=7.2.4 sha=00000000:0 malloc=jemalloc-5.3.0'\n"
    )
    newer.chmod(0o755)
    assert find_binary() == RedisBinary(newer, "system")
