"""The checks of the doctor. Each reports what it finds and changes nothing."""

import os
import platform
import stat
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import redis
from packaging.requirements import Requirement
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from deploy.commands.doctor_finding import FAULT, NOTE, OK, Finding
from deploy.commands.doctor_gateways import gateway_findings
from deploy.commands.doctor_limits import limits
from deploy.errors import DeployError
from deploy.local.embedded_redis import NO_RETRY, find_binary
from deploy.local.gateway_probe import probe
from deploy.local.ports import obstacle
from shared import user_tokens
from shared.addresses import shown_database
from shared.db import migrate
from shared.db.sqlite_url import is_sqlite
from shared.errors import SettingsError
from shared.event_log.clients import tcp_options
from shared.hermes.profiles import DEFAULT, Profiles
from shared.log_setup import clean
from shared.net.fetch import fetch
from shared.redis_check import fault_of
from shared.settings import Settings
from web.access.key_sources import WITHIN, read_key_file
from web.access.keys import MOST_BYTES, parse_keys

MOST_OF_AN_ERROR = 300  # characters


def examine(settings: Settings) -> list[Finding]:
    """Run all checks, in the order in which the start needs things."""
    return [
        _python(),
        *_libraries(settings),
        _vocabulary(),
        _home(settings),
        *limits(settings),
        *_users(settings),
        *_keys(settings),
        *_redis(settings),
        _database(settings),
        _gateway(settings),
        *gateway_findings(settings),
        _port(settings),
    ]


def _python() -> Finding:
    return Finding("python", OK, f"{platform.python_version()} at {sys.executable}")


def _libraries(settings: Settings) -> Iterator[Finding]:
    """Compare every requirement with the installed version, and that of the extra which RUNTIME
    needs."""
    found = []
    for line in requires("holdfast") or []:
        needed = Requirement(line)
        if needed.marker and not needed.marker.evaluate({"extra": settings.runtime}):
            continue
        try:
            installed = version(needed.name)
        except PackageNotFoundError:
            yield Finding("library", FAULT, f"{needed} is not installed", "make env")
            continue
        if not needed.specifier.contains(installed, prereleases=True):
            yield Finding("library", FAULT, f"{needed.name} {installed}, not {needed}", "make env")
        found.append(f"{needed.name} {installed}")
    yield Finding("libraries", OK, ", ".join(found))


def _vocabulary() -> Finding:
    from shared.conversation.tokens import VOCABULARY

    if VOCABULARY.is_file():
        return Finding("vocabulary", OK, str(VOCABULARY))
    return Finding("vocabulary", NOTE, "not found: tokens are estimated", "install Holdfast again")


def _home(settings: Settings) -> Finding:
    home = settings.home
    if not home.exists():
        return Finding("home", OK, f"{home} will be created at the first start")
    if not os.access(home, os.W_OK | os.X_OK):
        return Finding("home", FAULT, f"{home} cannot be written", "set HOLDFAST_HOME")
    mode = home.stat().st_mode & 0o777
    if mode & 0o077:
        advice = f"chmod 700 {home}: it holds the token and conversations"
        return Finding("home", NOTE, f"{home} has mode {mode:o}", advice)
    return Finding("home", OK, str(home))


def _users(settings: Settings) -> Iterator[Finding]:
    if settings.tokens_file is None:
        return
    try:
        file, _ = user_tokens.read_all(settings.tokens_file)
    except SettingsError as error:
        yield Finding("users", FAULT, str(error), "`holdfast token NAME` prints a line for it")
        return
    count = len(set(file.owners.values()))
    detail = f"{count} with {len(file.owners)} tokens in {settings.tokens_file}"
    yield Finding("users", OK, detail)
    yield from _limits(settings, file)


def _keys(settings: Settings) -> Iterator[Finding]:
    """The public keys of JWTs, as a web process reads them."""
    try:
        if settings.jwt_jwks_file is not None:
            keys, _ = read_key_file(settings.jwt_jwks_file)
        elif settings.jwt_jwks_url:
            keys = parse_keys(fetch(settings.jwt_jwks_url, seconds=WITHIN, most=MOST_BYTES))
        else:
            return
    except SettingsError as error:
        yield Finding("keys", FAULT, str(error), "correct JWT_JWKS_FILE")
        return
    except (OSError, ValueError) as error:
        detail = f"JWT_JWKS_URL cannot be used ({type(error).__name__}: {error})"
        yield Finding("keys", NOTE, detail, "until it can, users with JWTs have to wait")
        return
    yield Finding("keys", OK, f"{len(keys)} of {', '.join(sorted({k.algorithm for k in keys}))}")


def _limits(settings: Settings, file: user_tokens.UserFile) -> Iterator[Finding]:
    try:
        known = set(Profiles.load(settings).names())
    except SettingsError:
        return  # the gateway's finding says it
    if unknown := set().union(*file.profiles.values()) - known:
        detail = f"[profiles] of TOKENS_FILE names unknown ones: {', '.join(sorted(unknown))}"
        yield Finding("users", NOTE, detail, f"there are {', '.join(sorted(known))}")


def _redis(settings: Settings) -> Iterator[Finding]:
    if settings.redis_url:
        yield from _redis_server(settings.redis_url, "REDIS_URL")
    else:
        yield _embedded_redis()
    for number, url in enumerate(settings.log_redis_urls, 1):
        yield from _redis_server(url, f"LOG_REDIS_URLS, address {number}")


def _redis_server(url: str, where: str) -> Iterator[Finding]:
    client = redis.Redis.from_url(url, socket_timeout=3, retry=NO_RETRY, **tcp_options(url))
    try:
        server = client.info("server")
        if fault := fault_of(server):
            yield Finding("redis", FAULT, f"the server at {where} {fault}")
            return
        yield Finding("redis", OK, f"version {server['redis_version']} at {where}")
        yield _redis_setting(client, "maxmemory-policy", "noeviction")
        yield _redis_setting(client, "appendonly", "yes")
    except (redis.RedisError, OSError, ValueError) as error:  # also certificates that are not there
        detail = f"{where} does not answer ({_in_a_line(error)})"
        yield Finding("redis", FAULT, detail, "start it, or unset REDIS_URL for an embedded one")
    finally:
        client.close()


def _in_a_line(error: Exception) -> str:
    return clean(f"{type(error).__name__}: {error}".rstrip(": "))[:MOST_OF_AN_ERROR]


def _embedded_redis() -> Finding:
    try:
        binary = find_binary()
    except DeployError as error:
        return Finding("redis", FAULT, str(error))
    return Finding("redis", OK, f"`holdfast up` starts {binary.path} ({binary.origin})")


def _redis_setting(client: redis.Redis, name: str, wanted: str) -> Finding:
    try:
        found = client.config_get(name).get(name, "unknown")
    except redis.ResponseError:  # managed servers refuse CONFIG
        return Finding("redis", NOTE, f"{name} cannot be read", f"it should be {wanted}")
    if found == wanted:
        return Finding("redis", OK, f"{name} {found}")
    advice = f"CONFIG SET {name} {wanted}, and in its configuration: without it runs can be lost"
    return Finding("redis", NOTE, f"{name} {found}", advice)


def _database(settings: Settings) -> Finding:
    shown = shown_database(settings.database_url)
    if is_sqlite(settings.database_url):
        file = Path(make_url(settings.database_url).database or "")
        if fault := _cannot_be_database(file, ours=settings.database_is_own):
            return Finding("database", FAULT, f"{shown} {fault}", "correct DATABASE_URL")
        if not file.exists():
            advice = "`holdfast up` creates it"
            return Finding("database", NOTE, f"{shown} does not exist yet", advice)
    try:
        current = migrate.is_current(settings.database_url)
    except SQLAlchemyError as error:
        detail = f"{shown} does not answer ({_reason(error)})"
        return Finding("database", FAULT, detail, "start it, or correct DATABASE_URL")
    if not current:
        return Finding(
            "database", NOTE, f"{shown} has the schema of another version", "holdfast migrate"
        )
    return Finding("database", OK, f"{shown}, schema current")


def _reason(error: SQLAlchemyError) -> str:
    return _in_a_line(getattr(error, "orig", None) or error)


def _cannot_be_database(file: Path, *, ours: bool) -> str | None:
    """`ours`: its folder is the home, which is made at the first start."""
    try:
        if stat.S_ISREG(file.stat().st_mode):
            return None
        return "is not a file"
    except FileNotFoundError:
        return None if ours or file.parent.is_dir() else "is in a folder that does not exist"
    except OSError as error:
        return f"cannot be used: {error.strerror}"


def _gateway(settings: Settings) -> Finding:
    try:
        default = Profiles.load(settings).get(DEFAULT)
    except SettingsError as error:
        return Finding("gateway", FAULT, str(error), "correct PROFILES_FILE or the Hermes home")
    found = probe(default.url, default.api_key, default.ca_file)
    if found.foreign and settings.hermes_url_given:
        detail = f"{default.url} is not a gateway ({found.detail})"
        return Finding("gateway", FAULT, detail, "correct HERMES_URL")
    if not found.answers:
        detail = f"none at {default.url} ({found.detail})"
        advice = "start one or set HERMES_URL; `holdfast up` uses its demo gateway until then"
        return Finding("gateway", NOTE, detail, advice)
    if not found.authorized:
        advice = "set HERMES_API_KEY to the gateway's API_SERVER_KEY"
        return Finding("gateway", FAULT, f"{default.url} {found.detail}", advice)
    return Finding("gateway", OK, default.url)


def _port(settings: Settings) -> Finding:
    found = obstacle(settings.host, settings.port)
    if found is None:
        return Finding("port", OK, f"{settings.port} is free")
    return Finding("port", NOTE, found, "holdfast up --port 0, unless it is Holdfast itself")
