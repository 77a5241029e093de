"""What `holdfast up` decides to start."""

import itertools
import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from deploy.demo_gateway import KEY_VARIABLE
from deploy.errors import DeployError
from deploy.local import stack as local_stack
from deploy.local.gateway_probe import ProbeResult
from deploy.local.home import open_home
from deploy.local.ports import free_port, is_free, remembered_port
from deploy.local.stack import ROLES, SERVERS, Choices, LocalStack, plan
from shared.listening import bound
from shared.settings import Settings


@pytest.fixture(autouse=True)
def no_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_stack, "probe", lambda *_: ProbeResult(False, False, "refused"))


def planned(home: Path, choices: Choices | None = None, **environ: str) -> LocalStack:
    environ = {"HOLDFAST_HOME": str(home), **environ}
    return plan(Settings.load(environ), open_home(home), environ, choices or Choices())


def names(stack: LocalStack) -> list[str]:
    return [role.name for role in stack.roles]


def test_without_settings_everything_is_brought_along(tmp_path: Path) -> None:
    stack = planned(tmp_path)
    assert names(stack) == ["gateway", "redis", "web", "worker", "maintenance", "beat"]
    assert [role.stage for role in stack.roles] == [SERVERS] * 2 + [ROLES] * 4
    assert stack.environment["DATABASE_URL"] == f"sqlite:///{tmp_path}/holdfast.db"
    assert stack.environment["REDIS_URL"].startswith("redis://:")
    assert stack.environment["AUTH_TOKEN"] == stack.token == (tmp_path / "token").read_text()[:-1]
    assert "DEMO" in stack.gateway


def test_a_redis_and_a_gateway_that_are_there_are_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_stack, "probe", lambda *_: ProbeResult(True, True, "ok"))
    stack = planned(tmp_path, REDIS_URL="redis://r/0", HERMES_URL="http://h:1", HERMES_API_KEY="k")
    assert names(stack) == ["web", "worker", "maintenance", "beat"]
    assert stack.environment["REDIS_URL"] == "redis://r/0"
    assert stack.environment["HERMES_URL"] == "http://h:1"
    assert stack.environment["HERMES_API_KEY"] == "k"
    assert stack.gateway == "http://h:1"


def test_what_is_no_gateway_is_not_replaced_by_the_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = ProbeResult(False, False, "/health answers 404", foreign=True)
    monkeypatch.setattr(local_stack, "probe", lambda *_: found)
    with pytest.raises(DeployError, match="404"):
        planned(tmp_path, HERMES_URL="http://h:1")
    assert "DEMO" in planned(tmp_path).gateway


def test_a_home_with_any_character_is_quoted_for_redis(tmp_path: Path) -> None:
    planned(tmp_path / 'a"b\\c #%')
    configuration = (tmp_path / 'a"b\\c #%' / "redis" / "redis.conf").read_text()
    assert f'dir "{tmp_path}/a\\"b\\\\c #%/redis"' in configuration


def test_roles_are_multiplied_as_asked(tmp_path: Path) -> None:
    stack = planned(tmp_path, Choices(web=3, workers=2, flower=True))
    assert names(stack)[2:] == [
        *("web.1", "web.2", "web.3", "worker.1", "worker.2"),
        *("maintenance", "beat", "flower"),
    ]
    assert {role.environment["PORT"] for role in stack.roles[2:]} == {"8648"}


def test_what_is_shown_holds_no_password_and_no_key(tmp_path: Path) -> None:
    stack = planned(tmp_path)
    told = stack.url + stack.gateway + stack.redis + stack.database
    assert (tmp_path / "redis" / "password").read_text().strip() not in told
    assert stack.environment["HERMES_API_KEY"] not in told


def test_the_demo_gateway_has_a_key_that_no_command_line_shows(tmp_path: Path) -> None:
    stack = planned(tmp_path)
    gateway, *others = stack.roles
    key = stack.environment["HERMES_API_KEY"]
    assert len(key) > 20
    assert gateway.environment[KEY_VARIABLE] == key
    assert not any(key in argument for role in stack.roles for argument in role.command)
    assert not any(KEY_VARIABLE in role.environment for role in others)


def test_a_worker_gets_longer_to_end_than_its_drain(tmp_path: Path) -> None:
    stack = planned(tmp_path, DRAIN_SECONDS="40")
    worker = next(role for role in stack.roles if role.name == "worker")
    assert worker.grace.total_seconds() > 40


def test_no_two_roles_get_the_same_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing listens yet while ports are chosen, so the system may offer the same one again."""
    same = free_port()
    offers = itertools.cycle([same, same, 0])

    def bound_to_an_offer(host: str, port: int) -> socket.socket:
        return bound(host, port or next(offers))

    monkeypatch.setattr("deploy.local.ports.bound", bound_to_an_offer)
    assert free_port() == free_port() == same
    stack = planned(tmp_path, PORT=str(same))
    urls = stack.url, stack.environment["REDIS_URL"], stack.environment["HERMES_URL"]
    assert len({urlsplit(url).port for url in urls}) == 3


def test_a_remembered_port_that_another_role_is_to_have_is_not_used(tmp_path: Path) -> None:
    before = urlsplit(planned(tmp_path).environment["REDIS_URL"]).port
    after = urlsplit(planned(tmp_path, PORT=str(before)).environment["REDIS_URL"]).port
    assert before != after


def test_a_port_that_is_taken_is_not_remembered(tmp_path: Path) -> None:
    file = tmp_path / "port"
    port = remembered_port(file)
    assert remembered_port(file) == port
    with socket.create_server(("127.0.0.1", port)):
        assert not is_free("127.0.0.1", port)
        assert remembered_port(file) != port
    assert int(file.read_text()) != port
    assert free_port() > 0
