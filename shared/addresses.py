"""Addresses as people write them, in the one spelling that the libraries here understand. Pure.

Every function raises ValueError; its text says what is wrong and what to write instead, and holds
no part of the address, which may be a password.
"""

import re
from typing import Final
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

from shared.listening import is_loopback

ENCODE: Final = "characters like / ? # @ in a password are written as %2F %3F %23 %40"

POSTGRESQL: Final = ("postgresql", "postgres")
#: What libpq knows, which is what psycopg accepts in a URL.
LIBPQ: Final = frozenset(
    re.findall(
        r"\w+",
        """
        service servicefile user password passfile channel_binding dbname host hostaddr port
        client_encoding options application_name fallback_application_name connect_timeout
        keepalives keepalives_idle keepalives_interval keepalives_count tcp_user_timeout
        sslmode sslnegotiation sslcompression sslcert sslkey sslkeylogfile sslcertmode sslpassword
        sslrootcert sslcrl sslcrldir sslsni requirepeer require_auth ssl_min_protocol_version
        ssl_max_protocol_version min_protocol_version max_protocol_version gssencmode krbsrvname
        gsslib gssdelegation target_session_attrs load_balance_hosts scram_client_key
        scram_server_key oauth_issuer oauth_client_id oauth_client_secret oauth_scope
        """,
    )
)

SECRET_OPTIONS: Final = re.compile(r"password|secret|scram_.*_key")

REDIS: Final = ("redis", "rediss", "unix")
REDIS_ALIASES: Final = {"redis+socket": "unix", "valkey": "redis", "valkeys": "rediss"}
REDIS_VALUES: Final = {  # option of redis-py -> what it may be
    "db": r"[0-9]{1,5}",
    "socket_timeout": r"[0-9]{1,6}(\.[0-9]+)?",
    "socket_connect_timeout": r"[0-9]{1,6}(\.[0-9]+)?",
    "health_check_interval": r"[0-9]{1,6}",
    "ssl_min_version": r"769|770|771|772",
    "client_name": r"[!-~]*",
}
REDIS_OPTIONS: Final = frozenset(REDIS_VALUES) | frozenset(
    re.findall(
        r"\w+",
        """
        socket_keepalive retry_on_timeout ssl_cert_reqs ssl_ca_certs ssl_ca_path
        ssl_certfile ssl_keyfile ssl_password ssl_check_hostname ssl_ciphers
        """,
    )
)
MODEL_PATHS: Final = re.compile(
    r"(/v1(/chat/completions|/completions|/responses|/models|/runs)?)?/*$", re.IGNORECASE
)
WANTED: Final = {
    "client_name": "letters and signs of ASCII, without spaces",
    "ssl_min_version": "771 for TLS 1.2, or 772 for 1.3",
}
CERTIFICATES: Final = ("none", "optional", "required")


def database_url(text: str) -> str:
    """Return the address of a database for SQLAlchemy, with the driver that Holdfast uses."""
    dialect = text.partition("://")[0].partition("+")[0].lower()
    if dialect in POSTGRESQL:
        parts = _split_each_host(text)
        names = {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
        _only(names, LIBPQ, "options are those of libpq, such as sslmode=require", parts)
        return f"postgresql+psycopg://{_with_hosts_behind(text.partition('://')[2])}"
    if dialect == "sqlite":
        return f"sqlite://{_sqlite_file(text)}"
    _split(text)
    raise ValueError("needs a URL that begins with postgresql:// or sqlite:///")


def _with_hosts_behind(rest: str) -> str:
    """Several hosts, and the folder of a socket, as SQLAlchemy wants them: `?host=a:1&host=b:2`."""
    place, slash, behind = rest.partition("/")
    place, mark, query = place.partition("?") if not slash else (place, "", "")
    account, at, hosts = place.rpartition("@")
    if "," not in hosts and not hosts.lower().startswith("%2f"):
        return rest
    name, found, options = behind.partition("?") if slash else ("", mark, query)
    named = [f"host={quote(unquote(host), safe=':/[]')}" for host in hosts.split(",")]
    return f"{account}{at}/{name}?{'&'.join([*named, *([options] if found and options else [])])}"


def shown_database(url: str) -> str:
    """Return the address of a database for people: without secrets, wherever they stand in it."""
    place, mark, query = url.partition("?")
    place = re.sub(r"(://[^:@/]*):[^@]*@", r"\1:***@", place)
    shown = [
        f"{name}={'***' if re.search(SECRET_OPTIONS, name) else quote(value, safe=':/,[]')}"
        for name, value in parse_qsl(query, keep_blank_values=True)
    ]
    return place + mark + "&".join(shown)


def _sqlite_file(text: str) -> str:
    if re.search(r"[\x00-\x1f\x7f\ud800-\udfff]", text):
        raise ValueError("has a control character inside it, or one that is not in UTF-8")
    place, _, query = text.partition("://")[2].partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    options.pop("check_same_thread", None)  # units of work wait for each other anyway
    if not place.strip("/") or ":memory:" in place:
        raise ValueError(
            "needs a file, as in sqlite:////var/lib/holdfast.db: each process would have another "
            "database in its memory"
        )
    if not place.startswith("/") or place.startswith("/file:"):
        raise ValueError("needs the path of a file behind three slashes, as in sqlite:///data.db")
    if set(options) - {"timeout"}:
        raise ValueError("the only option of SQLite is timeout=, in seconds")
    return place + (f"?{urlencode(options)}" if options else "")


def redis_url(text: str) -> str:
    """Return the address of a Redis server for redis-py; `broker_url` makes Celery's of it."""
    scheme, parts = _split(text)
    scheme = REDIS_ALIASES.get(scheme, scheme)
    if scheme not in REDIS:
        raise ValueError("needs a URL that begins with redis:// or rediss:// or unix://")
    options = _redis_options(parts)
    if scheme != "rediss" and any(name.startswith("ssl_") for name in options):
        raise ValueError("options ssl_… are for rediss://")
    if scheme == "unix":
        if {"socket_connect_timeout", "socket_keepalive"} & set(options):
            raise ValueError("a socket of the file system has no options of connecting")
        if parts.hostname or not parts.path.strip("/"):
            raise ValueError("needs the path of a socket behind three slashes: unix:///run/redis")
    elif parts.hostname and not _is_host(parts.hostname):
        raise ValueError("has no name or address of a host behind its ://")
    elif not re.fullmatch(r"[0-9]{0,5}", parts.path.strip("/")):
        raise ValueError("behind the address stands the number of the database, as in redis://h/0")
    query = urlencode(options, quote_via=quote)
    return f"{scheme}://{parts.netloc}{parts.path.rstrip('/')}" + (f"?{query}" if query else "")


def _redis_options(parts: SplitResult) -> dict[str, str]:
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if "virtual_host" in options:  # Celery's word
        options["db"] = options.pop("virtual_host").strip("/")
    _only(set(options), REDIS_OPTIONS, "options are those of redis-py", parts)
    for name, syntax in REDIS_VALUES.items():
        if name in options and not re.fullmatch(syntax, options[name]):
            raise ValueError(f"{name} needs {WANTED.get(name, 'a number')}")
    if "ssl_cert_reqs" in options:
        wanted = options["ssl_cert_reqs"].lower().removeprefix("cert_")
        if wanted not in CERTIFICATES:
            raise ValueError(f"ssl_cert_reqs is one of {', '.join(CERTIFICATES)}")
        options["ssl_cert_reqs"] = wanted
    return options


def broker_url(url: str) -> tuple[str, dict[str, str]]:
    """Return the address of the same Redis server for Celery, and its options of TLS.

    `url`: of `redis_url`. Celery has a scheme of its own for sockets, and of TLS verifies nothing
    unless it is told.
    """
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    user = ":".join(
        quote(unquote(part), safe="") for part in (parts.username or "", parts.password or "")
    )
    account = f"{user}@" if user != ":" else ""
    database = options.get("db") or parts.path.strip("/") or "0"
    if parts.scheme == "unix":
        database = options.get("db") or "0"
        return f"redis+socket://{account}{parts.path}?virtual_host={database}", {}
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or "localhost"
    tls = {name: value for name, value in options.items() if name.startswith("ssl_")}
    return f"{parts.scheme}://{account}{host}:{parts.port or 6379}/{database}", tls


def gateway_url(text: str) -> str:
    """Return the address of a gateway without what clients of models write behind it, `/v1`."""
    scheme, parts = _split(text)
    if scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("needs a URL that begins with http:// or https://")
    if not _is_host(parts.hostname) or parts.port == 0:
        raise ValueError("has no name or address of a host behind its ://, or port 0")
    if parts.query or parts.fragment:
        raise ValueError("needs the address of the gateway alone, without ? and #")
    if parts.username is not None:
        raise ValueError("the key is given on its own, not in the address")
    path = re.sub(MODEL_PATHS, "", parts.path.rstrip("/"))
    return f"{scheme}://{parts.netloc}{path}"


def collector_url(text: str) -> str:
    """Return the address of a collector of traces. Raises ValueError with what to do."""
    scheme, parts = _split(text)
    if scheme not in {"http", "https"} or not parts.hostname or not text.isascii():
        raise ValueError("needs a URL that begins with http:// or https://")
    if not _is_host(parts.hostname) or parts.port == 0:
        raise ValueError("has no name or address of a host behind its ://, or port 0")
    if parts.username is not None:
        raise ValueError("needs an address without user and password")
    return text


def keys_url(text: str) -> str:
    """Return the address of a set of public keys. Who can change an answer on its way can be any
    user, so it needs TLS unless it stays on this machine."""
    scheme, parts = _split(text)
    if scheme not in {"http", "https"} or not parts.hostname or not text.isascii():
        raise ValueError("needs a URL that begins with https://")
    if not _is_host(parts.hostname) or parts.port == 0:
        raise ValueError("has no name or address of a host behind its ://, or port 0")
    if scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError("needs https://; http:// is for addresses of this machine only")
    if parts.username is not None:
        raise ValueError("needs an address without user and password")
    return text


def _is_host(name: str) -> bool:
    """Whether it can be looked up: an address of IPv6, or labels of up to 63 characters."""
    if ":" in name:
        return True  # `urlsplit` has checked it
    try:
        labels = name.encode("idna").decode().rstrip(".").split(".")
    except UnicodeError:
        return False
    return all(re.fullmatch(r"[A-Za-z0-9_-]{1,63}", label) for label in labels)


def api_key(text: str) -> str:
    """Return the key, which must fit into a header of HTTP."""
    if not re.fullmatch(r"[\x21-\x7e]*", text.strip()):
        raise ValueError("has a space, a line break or a character beyond ASCII inside it")
    return text.strip()


def origin(text: str) -> str:
    """Return the origin of a web page, or `*`, as it was given."""
    if text == "*":
        return text
    _, parts = _split(text)
    if not parts.hostname or parts.path.strip("/") or parts.query or parts.username is not None:
        raise ValueError("needs origins, as in https://app.example.org:8443, or * for any")
    return text


def page_url(text: str) -> str:
    """Return the address of a web page, to which ours may have a link."""
    scheme, parts = _split(text)
    if scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise ValueError("needs the address of a page, as in https://flower.example.org")
    return text


def host_name(text: str) -> str:
    """Return the name by which a server is called, or `*`, as it was given."""
    if text != "*" and not re.fullmatch(r"\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]@?#]+", text):
        raise ValueError("needs names of hosts alone, as in example.org or [::1], or * for any")
    return text


def _split_each_host(text: str) -> SplitResult:
    """The parts of a URL in which several hosts may stand, with one of them. Newer versions of
    Python take no brackets behind the first host."""
    scheme, mark, rest = text.partition("://")
    place = re.split("[/?#]", rest, maxsplit=1)[0]
    account, at, hosts = place.rpartition("@")
    front, behind = f"{scheme}{mark}{account}{at}", rest.removeprefix(place)
    each = [_split(f"{front}{host}{behind}")[1] for host in hosts.split(",")]
    return each[0]


def _split(text: str) -> tuple[str, SplitResult]:
    """The scheme in lower case, and the parts."""
    if re.search(r"[\x00-\x20\x7f\ud800-\udfff]", text):
        raise ValueError("has a space, a line break or a control character inside it")
    if "://" not in text:
        raise ValueError("needs a URL, with :// behind its first word")
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises, if it is none
    except ValueError:
        raise ValueError(f"cannot be read as a URL; {ENCODE}") from None
    if parts.fragment:
        raise ValueError(f"has a # inside it; {ENCODE}")
    return parts.scheme, parts


def _only(names: set[str], known: frozenset[str], advice: str, parts: SplitResult) -> None:
    if not names - known:
        return
    if "@" in parts.query:  # the rest of a password, which is not to be shown
        raise ValueError(f"has an @ behind its ?; {ENCODE}")
    raise ValueError(f"unknown options {', '.join(sorted(names - known))}; {advice}")
