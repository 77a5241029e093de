"""Addresses in the spellings that people use: they work, or a line says what to do (C19)."""

import ssl
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kombu.connection import Connection
from redis import ConnectionPool
from sqlalchemy import make_url

from shared.addresses import (
    REDIS_OPTIONS,
    api_key,
    broker_url,
    database_url,
    gateway_url,
    redis_url,
    shown_database,
)
from shared.errors import SettingsError
from shared.event_log.clients import command_client, pubsub_client
from shared.settings import Settings
from shared.task_queue import celery_app

SECRET = "swordfish"


@pytest.mark.parametrize(
    ("given", "understood"),
    [
        ("postgres://h/d", "postgresql+psycopg://h/d"),
        ("postgresql+asyncpg://u:p@h:5/d", "postgresql+psycopg://u:p@h:5/d"),
        ("postgresql+psycopg2://h/d", "postgresql+psycopg://h/d"),
        ("PostgreSQL://h/d?sslmode=require", "postgresql+psycopg://h/d?sslmode=require"),
        ("POSTGRES+PSYCOPG://h/d", "postgresql+psycopg://h/d"),
        ("postgresql:///d?host=/run/pg", "postgresql+psycopg:///d?host=/run/pg"),
        ("sqlite:///data.db", "sqlite:///data.db"),
        ("SQLite:////var/data.db?timeout=2", "sqlite:////var/data.db?timeout=2"),
        ("sqlite+aiosqlite:////a#b/data.db", "sqlite:////a#b/data.db"),
        ("sqlite:///data.db?check_same_thread=false", "sqlite:///data.db"),
        ("sqlite:////a b/data.db", "sqlite:////a b/data.db"),
        ("postgresql+psycopg_async://h/d", "postgresql+psycopg://h/d"),
        ("postgresql://u:p@a:1,b:2/d", "postgresql+psycopg://u:p@/d?host=a:1&host=b:2"),
        (
            "postgresql://a,[::1]:2/d?sslmode=prefer",
            "postgresql+psycopg:///d?host=a&host=[::1]:2&sslmode=prefer",
        ),
        ("postgresql://u@%2Frun%2Fpg/d", "postgresql+psycopg://u@/d?host=/run/pg"),
        ("postgres://a,b", "postgresql+psycopg:///?host=a&host=b"),
    ],
)
def test_databases(given: str, understood: str) -> None:
    assert database_url(given) == understood
    assert database_url(understood) == understood
    make_url(understood)


@pytest.mark.parametrize(
    ("given", "advice"),
    [
        ("sqlite://", "needs a file"),
        ("sqlite:///", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
        ("sqlite:///file::memory:?uri=true", "needs a file"),
        ("sqlite:///file:data.db?uri=true", "three slashes"),
        ("sqlite://data.db", "three slashes"),
        ("sqlite:///data.db?mode=ro", "timeout"),
        ("sqlite:///data.db\n", "control"),
        ("sqlite:////\udcff.db", "UTF-8"),
        ("postgresql://h/d?ssl=require", "sslmode"),
        (f"postgresql://u:a/{SECRET}@h/d", "%2F"),
        (f"postgresql://u:1#{SECRET}@h/d", "%23"),
        (f"postgresql://u:1?{SECRET}@h/d", "%3F"),
        ("postgresql://h:port/d", "URL"),
        ("postgresql://a:1,b:port/d", "URL"),
        ("postgresql://[::1/d", "URL"),
        ("postgresql://h/d\nx", "line break"),
        ("mysql://h/d", "postgresql://"),
        ("postgresql:h/d", "://"),
        ("data.db", "URL"),
    ],
)
def test_databases_that_cannot_be(given: str, advice: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        database_url(given)
    assert advice in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "understood"),
    [
        ("redis://h", "redis://h"),
        ("REDIS://h:1/2/", "redis://h:1/2"),
        ("redis://:p%40@[::1]:7/3", "redis://:p%40@[::1]:7/3"),
        ("rediss://h?ssl_cert_reqs=CERT_NONE", "rediss://h?ssl_cert_reqs=none"),
        ("rediss://h?ssl_cert_reqs=Required", "rediss://h?ssl_cert_reqs=required"),
        ("unix:///run/r.sock?db=3", "unix:///run/r.sock?db=3"),
        ("unix://:pw@/run/r.sock", "unix://:pw@/run/r.sock"),
        ("redis+socket:///run/r.sock?virtual_host=3", "unix:///run/r.sock?db=3"),
        ("valkey://h/1", "redis://h/1"),
        ("VALKEYS://h", "rediss://h"),
        ("redis://h/1?db=3", "redis://h/1?db=3"),
    ],
)
def test_redis_servers(given: str, understood: str) -> None:
    assert redis_url(given) == understood
    assert redis_url(understood) == understood


@pytest.mark.parametrize(
    ("given", "advice"),
    [
        ("redis+sentinel://h", "redis://"),
        ("http://h", "redis://"),
        ("redis://h/abc", "number"),
        ("redis://h?db=x", "number"),
        ("redis://h?tiemout=1", "unknown"),
        ("redis://h?ssl_cert_reqs=none", "rediss://"),
        ("rediss://h?ssl_cert_reqs=maybe", "none"),
        ("redis://:a/b@h", "%2F"),
        ("redis://h:99999", "URL"),
        ("unix://run/r.sock", "three slashes"),
        ("unix://", "three slashes"),
        ("unix:///r?socket_keepalive=1", "socket"),
        ("redis://h /0", "space"),
        ("redis://h?db=1.5", "number"),
        ("redis://h?db=-1", "number"),
        ("redis://h/\u0663", "number"),
        ("redis://h?health_check_interval=1.5", "number"),
        ("redis://h?client_name=a%20b", "spaces"),
        ("rediss://h?ssl_min_version=1", "TLS"),
        ("redis://a..b", "host"),
        ("redis://*", "host"),
        (f"redis://{'a' * 64}.org", "host"),
        ("redis://a:1,b:2", "URL"),
    ],
)
def test_redis_servers_that_cannot_be(given: str, advice: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        redis_url(given)
    assert advice in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "redis://h",
        "redis://us%3Aer:p%2F%3B%40%25@h:7/3",
        "redis://:pw@[::1]:7/0",
        "rediss://h",
        "rediss://h?ssl_cert_reqs=none",
        "rediss://h/2?ssl_cert_reqs=optional&ssl_ca_certs=/ca.pem&ssl_check_hostname=false",
        "unix:///run/r.sock?db=3",
        "unix://user:p%2Fw@/run/r.sock",
    ],
)
def test_celery_connects_as_redis_py_does(url: str) -> None:
    """Place, account, database, and what is verified of a certificate."""
    assert of_celery(url) == of_redis_py(url)


WHAT = ("host", "port", "path", "username", "password")


def facts(made: object, db: int) -> dict[str, object]:
    found: dict[str, object] = {name: getattr(made, name, None) or None for name in WHAT}
    for name in ("cert_reqs", "check_hostname", "ca_certs"):
        found[name] = getattr(made, name, None)
    return {**found, "db": db}


def of_redis_py(url: str) -> dict[str, object]:
    pool = ConnectionPool.from_url(url)
    made = pool.connection_class(**pool.connection_kwargs)
    return facts(made, int(pool.connection_kwargs.get("db") or 0))


def of_celery(url: str) -> dict[str, object]:
    with celery_app(Settings.load({"REDIS_URL": url})) as app:
        connection: Connection = app.connection_for_write()
        channel = connection.transport.Channel.__new__(connection.transport.Channel)
        channel.connection = type("_", (), {"client": connection, "default_port": 6379})()
        channel.max_connections = 1
        parameters = channel._connparams()
    made = parameters.pop("connection_class")
    parameters.pop("max_connections", None)
    return facts(made(**parameters), parameters["db"])


def test_an_unverified_certificate_is_the_same_for_both() -> None:
    assert of_celery("rediss://h")["cert_reqs"] == ssl.CERT_REQUIRED
    assert of_celery("rediss://h?ssl_cert_reqs=CERT_NONE")["cert_reqs"] == ssl.CERT_NONE


printable = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30)
options = st.sampled_from(sorted(REDIS_OPTIONS))
queries = st.lists(st.tuples(options, st.sampled_from(["1", "none", "true"])).map("=".join))
SCHEMES = ["redis", "rediss", "unix", "RedisS", "redis+socket"]


@given(
    scheme=st.sampled_from(SCHEMES),
    rest=printable | queries.map(lambda query: "/1?" + "&".join(query)),
)
def test_a_redis_url_that_is_accepted_makes_clients(scheme: str, rest: str) -> None:
    try:
        url = redis_url(f"{scheme}://{rest}")
    except ValueError:
        return
    for made in (command_client(url), pubsub_client(url)):
        made.connection_pool.connection_class(**made.connection_pool.connection_kwargs)
    broker_url(url)


@given(password=st.text(min_size=1, max_size=20).filter(lambda p: p.isprintable()))
def test_any_password_reaches_redis_and_celery(password: str) -> None:
    url = redis_url(f"redis://:{quote(password, safe='')}@h/1")
    assert of_redis_py(url)["password"] == password
    assert Connection(broker_url(url)[0]).password == password


@pytest.mark.parametrize(
    ("given", "understood"),
    [
        ("http://h:8642/", "http://h:8642"),
        ("http://h:8642/v1", "http://h:8642"),
        ("HTTP://h:8642/v1//", "http://h:8642"),
        ("https://h/agent/v1/", "https://h/agent"),
        ("https://h/v12", "https://h/v12"),
        ("http://h/V1/", "http://h"),
        ("http://h/v1/chat/completions", "http://h"),
        ("http://h/a/v1/runs", "http://h/a"),
        ("http://[fe80::1%25eth0]:81", "http://[fe80::1%25eth0]:81"),
        ("http://bücher.example", "http://bücher.example"),
        ("http://[::1]:8642", "http://[::1]:8642"),
    ],
)
def test_gateways(given: str, understood: str) -> None:
    assert gateway_url(given) == understood


@pytest.mark.parametrize(
    "given",
    [
        *("localhost:8642", "h", "ftp://h", "http://", "http://h:x", "http://[::1"),
        *("http://h?key=1", "http://h#a", "http://user:pw@h", "http://h\n.evil", "http://h b"),
        *("http://a..b", "http://*", "http://.", "http://h:0", "http://%31", "http://h:\u0663"),
        f"http://{'a' * 64}.org",
    ],
)
def test_gateways_that_cannot_be(given: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        gateway_url(given)


@pytest.mark.parametrize("key", ["a\nb", "schlüssel", "a b", "a\r\nX-Evil: 1", "\ud83d", "a\0"])
def test_a_key_that_no_header_can_carry_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match=r"ASCII"):
        api_key(key)
    assert api_key(" key\n") == "key"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"postgresql+psycopg://u:{SECRET}@h:1/d", "postgresql+psycopg://u:***@h:1/d"),
        (f"postgresql://h/d?password={SECRET}&user=u", "postgresql://h/d?password=***&user=u"),
        (f"postgresql://h/d?sslpassword={SECRET}", "postgresql://h/d?sslpassword=***"),
        (f"postgresql://u:{SECRET}@/d?host=/run", "postgresql://u:***@/d?host=/run"),
        ("sqlite:////a b/x.db?timeout=2", "sqlite:////a b/x.db?timeout=2"),
    ],
)
def test_a_shown_database_has_no_secrets(url: str, shown: str) -> None:
    assert shown_database(url) == shown


def test_all_faults_are_named_at_once_and_without_the_values() -> None:
    environ = {
        "REDIS_URL": f"redis://:{SECRET}/x@h",
        "LOG_REDIS_URLS": f"redis://a,redis://:{SECRET}#@b",
        "DATABASE_URL": f"postgresql://u:{SECRET}/@h/d",
        "HERMES_URL": f"http://u:{SECRET}@h",
        "HERMES_API_KEY": f"{SECRET}\nx",
    }
    with pytest.raises(SettingsError) as caught:
        Settings.load(environ)
    assert [fault.partition(":")[0] for fault in caught.value.faults] == [*environ]
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("name", ["a b", "100%", "%20", "what?", "a#b", "é", ":memory:", "a&b=c"])
def test_the_database_of_any_home(name: str, tmp_path: Path) -> None:
    home = tmp_path / name
    settings = Settings.load({"HOLDFAST_HOME": str(home)})
    assert settings.database_is_own
    assert make_url(settings.database_url).database == str(home / "holdfast.db")
    handed_on = Settings.load({"DATABASE_URL": settings.database_url})
    assert handed_on.database_url == settings.database_url


@pytest.mark.parametrize("name", ["a\nb", "a\x1bb", "\udcff"])
def test_a_home_that_no_file_of_configuration_can_name(name: str) -> None:
    with pytest.raises(SettingsError, match="HOLDFAST_HOME"):
        Settings.load({"HOLDFAST_HOME": f"/tmp/{name}"})
