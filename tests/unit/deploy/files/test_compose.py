"""`compose.yaml`: by the rules of the Compose specification that matter, and what it promises."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.settings import Settings
from tests.support.paths import ROOT

FOLDER = ROOT / "deploy" / "container"
COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OWN = {name: one for name, one in SERVICES.items() if one["image"] == "holdfast:local"}
# Of the Compose specification: what a service may have, as far as it is used here.
ALLOWED = {
    "build",
    "cap_drop",
    "command",
    "configs",
    "depends_on",
    "environment",
    "extra_hosts",
    "healthcheck",
    "image",
    "init",
    "logging",
    "network_mode",
    "networks",
    "ports",
    "read_only",
    "restart",
    "security_opt",
    "shm_size",
    "stop_grace_period",
    "tmpfs",
    "volumes",
}
CONDITIONS = {"service_started", "service_healthy", "service_completed_successfully"}
DURATION = re.compile(r"(\d+)s")


def seconds(text: str) -> float:
    found = DURATION.fullmatch(text)
    assert found, text
    return float(found[1])


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_fields_of_the_specification_only(name: str) -> None:
    service = SERVICES[name]
    assert service.keys() <= ALLOWED
    assert not ("network_mode" in service and "networks" in service), "one excludes the other"
    for needed, how in service.get("depends_on", {}).items():
        assert needed in SERVICES
        assert how["condition"] in CONDITIONS
    check = service.get("healthcheck", {})
    assert check.keys() <= {"test", "interval", "timeout", "start_period", "retries", "disable"}
    for field in ("interval", "timeout", "start_period"):
        assert DURATION.fullmatch(check.get(field, "1s"))


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_refers_to_is_declared(name: str) -> None:
    service = SERVICES[name]
    assert set(service.get("networks", ())) <= COMPOSE["networks"].keys()
    assert {one["source"] for one in service.get("configs", ())} <= COMPOSE["configs"].keys()
    for volume in service.get("volumes", ()):
        source = volume.split(":")[0]
        assert source in COMPOSE["volumes"] or source.startswith(("./", "../monitoring/"))


def test_no_service_waits_for_itself() -> None:
    left = {name: set(one.get("depends_on", ())) for name, one in SERVICES.items()}
    while free := [name for name, needed in left.items() if not needed]:
        for name in free:
            del left[name]
        left = {name: needed - set(free) for name, needed in left.items()}
    assert not left, "a circle"


def test_files_that_are_mounted_exist() -> None:
    named = [Path(one["file"]) for one in COMPOSE["configs"].values() if "file" in one]
    mounted = [volume for one in SERVICES.values() for volume in one.get("volumes", ())]
    named += [Path(volume.split(":")[0]) for volume in mounted if volume.startswith("./")]
    assert len(named) > 4
    assert all((FOLDER / file).is_file() for file in named)


def test_prometheus_asks_every_role_that_has_figures() -> None:
    asked = yaml.safe_load((FOLDER / "prometheus.yml").read_text("utf-8"))
    (job,) = asked["scrape_configs"]
    (group,) = job["static_configs"]
    port = OWN["web-1"]["environment"]["METRICS_PORT"]
    roles = OWN.keys() - {"migrate", "flower"}
    assert sorted(group["targets"]) == sorted(f"{name}:{port}" for name in roles)


def test_everything_is_there_and_twice_what_must_not_fail_alone() -> None:
    roles = [one["command"] for one in OWN.values()]
    for role, count in {"web": 2, "worker": 2, "maintenance": 1, "beat": 1, "flower": 1}.items():
        assert roles.count([role]) == count
    assert SERVICES.keys() >= {"postgres", "redis", "nginx", "prometheus", "grafana", "migrate"}


def test_redis_keeps_what_it_was_given() -> None:
    command = " ".join(SERVICES["redis"]["command"])
    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command
    assert "--client-output-buffer-limit pubsub 256mb 64mb 60" in command


@pytest.mark.parametrize("name", OWN)
def test_an_own_service_may_do_nothing_that_it_does_not_need(name: str) -> None:
    service = OWN[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "ports" not in service


def test_only_the_page_is_open_to_other_machines() -> None:
    ports = [port for one in SERVICES.values() for port in one.get("ports", ())]
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == [
        "${HTTP_PORT:-8080}:80"
    ]


def test_secrets_come_from_outside_and_none_has_a_default() -> None:
    text = (FOLDER / "compose.yaml").read_text("utf-8")
    used = re.findall(r"\$\{(\w*(?:PASSWORD|TOKEN))(:\?|\}|:-)", text)
    assert used
    assert all(how == ":?" for _, how in used)
    example = dict(
        line.split("=", 1)
        for line in (FOLDER / "example.env").read_text("utf-8").splitlines()
        if line and not line.startswith("#")
    )
    assert {name for name, _ in used} <= example.keys()
    assert not any(example[name] for name, _ in used)


def test_the_settings_are_valid_and_the_grace_is_longer_than_the_drains() -> None:
    given = {
        name: re.sub(r"\$\{[^}]*\}", "x" * 20, str(value))
        for name, value in OWN["web-1"]["environment"].items()
    }
    given["HERMES_URL"] = "http://gateway:8642"
    settings = Settings.load({**given, "HOST": "0.0.0.0"})
    assert timedelta(seconds=seconds(SERVICES["web-1"]["stop_grace_period"])) >= (
        settings.web_drain + timedelta(seconds=10)
    )
    assert timedelta(seconds=seconds(SERVICES["worker-1"]["stop_grace_period"])) >= (
        settings.drain + timedelta(seconds=20)
    )
    subnet = COMPOSE["networks"]["inside"]["ipam"]["config"][0]["subnet"]
    assert settings.trusted_proxies == (subnet,)


def test_nginx_finds_the_web_processes_where_they_are() -> None:
    servers = COMPOSE["configs"]["nginx-servers"]["content"]
    for name in ("web-1", "web-2"):
        address = SERVICES[name]["networks"]["inside"]["ipv4_address"]
        assert f"server {address}:8648 " in servers
