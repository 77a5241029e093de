"""Decides which processes make a whole Holdfast on this machine, and their environment."""

import os
import secrets
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from deploy import ROOT
from deploy.demo_gateway import KEY_VARIABLE
from deploy.errors import DeployError
from deploy.local.embedded_redis import EmbeddedRedis, binary_for
from deploy.local.gateway_probe import answering_process, is_healthy, probe
from deploy.local.home import Home, secret
from deploy.local.ports import LOOPBACK, free_port
from deploy.supervisor.child import Role
from shared import listening
from shared.hermes.profiles import DEFAULT, Profile, Profiles
from shared.settings import Settings

SERVERS, ROLES = 0, 1  # stages: what the roles need, and the roles
# Seconds for live runs to end after Ctrl-C, unless DRAIN_SECONDS is set: a person waits for it.
# Longer runs go on at the next start.
LOCAL_DRAIN = timedelta(seconds=5)
MARGIN = timedelta(seconds=10)  # for a process to hand over its work after its drain


@dataclass(frozen=True)
class Choices:
    """The options of `holdfast up`."""

    web: int = 1
    workers: int = 1
    flower: bool = False
    open_page: bool = False


@dataclass(frozen=True)
class LocalStack:
    """The roles, the environment that they share, and what the banner shows of them."""

    roles: list[Role]
    environment: Mapping[str, str]
    url: str
    token: str
    gateway: str
    redis: str
    database: str


def python(*arguments: str) -> tuple[str, ...]:
    """A command that runs an installed module; `-P` ignores modules in the current folder."""
    return (sys.executable, "-P", "-m", *arguments)


def python_path(environ: Mapping[str, str]) -> str:
    """PYTHONPATH for processes that are to find the packages of this one first."""
    return os.pathsep.join(filter(None, [ROOT, environ.get("PYTHONPATH", "")]))


def plan(
    settings: Settings, home: Home, environ: Mapping[str, str], choices: Choices
) -> LocalStack:
    """Decide what to start. Creates the token and the Redis folder; starts nothing."""
    token = settings.auth_token or secret(home.token_file)
    redis_server = None if settings.redis_url else _redis(home, settings.port)
    taken = {settings.port, *([redis_server.port] if redis_server else [])}
    gateway_url, gateway_key, demo = _gateway(settings, environ, taken)
    environment = {
        **environ,
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": python_path(environ),
        "HOLDFAST_HOME": str(home.path),
        "PORT": str(settings.port),
        "REDIS_URL": redis_server.url if redis_server else settings.redis_url,
        "DATABASE_URL": settings.database_url,
        "AUTH_TOKEN": token,
        "HERMES_URL": gateway_url,
        "HERMES_API_KEY": gateway_key,
        "DEMO_GATEWAY": "1" if demo else "0",
        "DRAIN_SECONDS": f"{_drain(settings, environ).total_seconds():g}",
    }
    roles = [demo] if demo else []
    if redis_server:
        roles.append(Role("redis", redis_server.command, environ, SERVERS, redis_server.is_ready))
    return LocalStack(
        roles=roles + _roles(settings, environment, choices),
        environment=environment,
        url=_address(settings),
        token="" if settings.auth_disabled else token,
        gateway=f"{gateway_url} (DEMO: none answered at {_configured_gateway(settings).url})"
        if demo
        else gateway_url,
        redis=f"{redis_server.binary.path.name}, data in {home.redis}"
        if redis_server
        else "REDIS_URL",
        database=f"SQLite in {home.path}" if settings.database_is_own else "DATABASE_URL",
    )


def _drain(settings: Settings, environ: Mapping[str, str]) -> timedelta:
    return settings.drain if environ.get("DRAIN_SECONDS", "").strip() else LOCAL_DRAIN


def _redis(home: Home, web_port: int) -> EmbeddedRedis:
    return EmbeddedRedis.prepare(binary_for(home.redis), home.redis, other_ports={web_port})


def _gateway(
    settings: Settings, environ: Mapping[str, str], taken: Collection[int]
) -> tuple[str, str, Role | None]:
    """The gateway's URL and key, and the role of the demo gateway if no gateway answers; that one
    listens on none of the `taken` ports."""
    default = _configured_gateway(settings)
    found = probe(default.url, default.api_key, default.ca_file)
    if found.answers:
        return default.url, default.api_key, None
    if found.foreign and settings.hermes_url_given:
        raise DeployError(
            f"HERMES_URL: what answers at {default.url} is not a gateway ({found.detail}); correct "
            "it, or unset it for the demo gateway"
        )
    port, key = free_port(besides=taken), secrets.token_urlsafe(16)
    url = f"http://{LOOPBACK}:{port}"
    command = python("deploy.demo_gateway", "--port", str(port), "--max-runs", "0")
    environment = {**environ, "PYTHONPATH": python_path(environ), KEY_VARIABLE: key}
    return (
        url,
        key,
        Role("gateway", command, environment, SERVERS, partial(is_healthy, f"{url}/health")),
    )


def _configured_gateway(settings: Settings) -> Profile:
    return Profiles.load(settings).get(DEFAULT)


def _roles(settings: Settings, environment: Mapping[str, str], choices: Choices) -> list[Role]:
    health = f"{_address(settings)}/healthz"
    healthy, who_answers = partial(is_healthy, health), partial(answering_process, health)
    grace = timedelta(seconds=float(environment["DRAIN_SECONDS"])) + MARGIN
    web_grace = settings.web_drain + MARGIN
    return [
        *(
            Role(name, python("web"), environment, ROLES, healthy, web_grace, who_answers)
            for name in _numbered("web", choices.web)
        ),
        *(
            Role(name, python("worker", "runs"), environment, ROLES, grace=grace)
            for name in _numbered("worker", choices.workers)
        ),
        Role("maintenance", python("worker", "maintenance"), environment, ROLES),
        Role("beat", python("worker", "beat"), environment, ROLES),
        *(
            [Role("flower", python("deploy.cli", "flower"), environment, ROLES)]
            if choices.flower
            else []
        ),
    ]


def _numbered(name: str, count: int) -> list[str]:
    return [name] if count == 1 else [f"{name}.{number}" for number in range(1, count + 1)]


def _address(settings: Settings) -> str:
    """The URL of the web role for a browser on this machine."""
    return listening.url(settings.host, settings.port)
