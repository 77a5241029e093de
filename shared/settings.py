"""The settings, read from the environment in one place: typed, and validated all at once."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

from shared import addresses
from shared.db.sqlite_url import busy_seconds, is_sqlite
from shared.listening import is_loopback
from shared.variable_reader import VariableReader

SHORTEST_TOKEN = 16  # characters, where other machines can connect
SHORTEST_SECRET = 32  # bytes


@dataclass(frozen=True)
class Settings:
    """The settings of a process. `docs/SETTINGS.md` lists the variables."""

    home: Path
    host: str
    port: int
    redis_url: str
    log_redis_urls: tuple[str, ...]
    database_url: str
    auth_token: str = field(repr=False)
    auth_disabled: bool
    tokens_file: Path | None
    jwt_secret: str = field(repr=False)
    jwt_jwks_file: Path | None
    jwt_jwks_url: str
    jwt_issuer: str
    jwt_audience: tuple[str, ...]
    jwt_leeway: timedelta
    jwt_role_claim: str
    cookie_key: str = field(repr=False)
    cookie_life: timedelta
    recheck_every: timedelta
    hermes_url: str
    hermes_url_given: bool  # else the Hermes home may have another one
    hermes_api_key: str = field(repr=False)
    hermes_home: Path
    profiles_file: Path | None
    demo_gateway: bool
    cors_origins: tuple[str, ...]
    allowed_hosts: tuple[str, ...]
    trusted_proxies: tuple[str, ...]
    token_guesses: int
    transports: tuple[str, ...]
    installation: str
    worker_concurrency: int
    takeover_slots: int
    queue_cap: int
    max_runs_per_user: int
    max_waiting_per_user: int
    waiting_max: int
    session_max_bytes: int
    history_max_bytes: int
    lease: timedelta
    flush_interval: timedelta
    stop_timeout: timedelta
    start_deadline: timedelta
    run_deadline: timedelta
    post_timeout: timedelta
    post_margin: timedelta
    gateway_max_runs: int
    gateway_ca_file: Path | None
    connect_timeout: timedelta
    drain: timedelta
    web_drain: timedelta
    watchdog: timedelta
    log_ttl: timedelta
    checkpoint_bytes: int
    event_max_bytes: int
    stream_max_event_bytes: int
    frame_max_bytes: int
    socket_queue_max: int
    socket_unsent_max_bytes: int
    unsent_max_bytes: int
    connections_max: int
    unauthenticated_max: int
    unauthenticated_per_address: int
    sockets_per_owner: int
    sessions_per_socket: int
    requests_per_second: int
    owner_requests_per_second: int
    reap_every: timedelta
    flower_url: str
    log_level: str
    log_format: str
    runtime: str  # `shared/runtime` reads it before there are settings
    traces_url: str
    retention_days: float  # 0: for ever; the same of the next ones
    retention_of_owners: Mapping[str, float]
    retention_runs_days: float
    retention_usage_days: float
    ephemeral_life: timedelta
    metrics_host: str
    metrics_port: int  # 0: none
    metrics_token: str = field(repr=False)

    @property
    def log_servers(self) -> tuple[str, ...]:
        """The Redis servers of the event logs. Their order decides which one a session is on."""
        return self.log_redis_urls or (self.redis_url,)

    @property
    def has_jwt(self) -> bool:
        """Whether users may come with JWTs."""
        return bool(self.jwt_secret or self.jwt_jwks_file or self.jwt_jwks_url)

    @property
    def renew_every(self) -> timedelta:
        """Four renewals in a row may fail before the lease lapses (R35)."""
        return self.lease / 5

    @property
    def database_is_own(self) -> bool:
        """Whether the database is the one in the home."""
        return self.database_url == own_database(self.home)

    @property
    def has_short_token(self) -> bool:
        """Whether there is a shared token that is guessed easily."""
        return 0 < len(self.auth_token) < SHORTEST_TOKEN

    @classmethod
    def load(cls, environ: Mapping[str, str]) -> "Settings":
        """Read the settings from the environment. Raises SettingsError, which names every fault."""
        read = VariableReader(environ)
        home = read.path("HOLDFAST_HOME", "~/.holdfast")
        settings = cls(
            home=home,
            host=read.text("HOST", "127.0.0.1"),
            port=read.integer("PORT", 8648, 0, 65535),
            redis_url=read.parsed("REDIS_URL", "", addresses.redis_url),
            log_redis_urls=read.all_parsed("LOG_REDIS_URLS", addresses.redis_url),
            database_url=read.parsed("DATABASE_URL", "", addresses.database_url)
            or own_database(home),
            auth_token=read.token("AUTH_TOKEN"),
            auth_disabled=read.flag("AUTH_DISABLED"),
            tokens_file=read.optional_path("TOKENS_FILE"),
            jwt_secret=read.token("JWT_SECRET"),
            jwt_jwks_file=read.optional_path("JWT_JWKS_FILE"),
            jwt_jwks_url=read.parsed("JWT_JWKS_URL", "", addresses.keys_url),
            jwt_issuer=read.text("JWT_ISSUER", ""),
            jwt_audience=read.words("JWT_AUDIENCE"),
            jwt_leeway=read.seconds("JWT_LEEWAY", 30, 0),
            jwt_role_claim=read.text("JWT_ROLE_CLAIM", "role"),
            cookie_key=read.token("COOKIE_KEY"),
            cookie_life=read.seconds("COOKIE_SECONDS", 12 * 3600, 60),
            recheck_every=read.seconds("RECHECK_SECONDS", 20, 0.1),
            hermes_url=read.parsed("HERMES_URL", "http://127.0.0.1:8642", addresses.gateway_url),
            hermes_url_given=bool(read.text("HERMES_URL", "")),
            hermes_api_key=read.parsed("HERMES_API_KEY", "", addresses.api_key),
            hermes_home=read.path("HERMES_HOME", "~/.hermes"),
            profiles_file=read.optional_path("PROFILES_FILE"),
            demo_gateway=read.flag("DEMO_GATEWAY"),
            cors_origins=read.all_parsed("CORS_ORIGINS", addresses.origin),
            allowed_hosts=read.all_parsed("ALLOWED_HOSTS", addresses.host_name),
            trusted_proxies=read.networks("TRUSTED_PROXIES"),
            token_guesses=read.integer("TOKEN_GUESSES", 20, 1, 10**6),
            transports=read.words("TRANSPORTS", "websocket,polling"),
            installation=read.name("INSTALLATION", "hf"),
            worker_concurrency=read.integer("WORKER_CONCURRENCY", 200, 1, 5000),
            takeover_slots=read.integer("TAKEOVER_SLOTS", 200, 1, 5000),
            queue_cap=read.integer("QUEUE_CAP", 20, 1, 1000),
            max_runs_per_user=read.integer("MAX_RUNS_PER_USER", 0, 0, 10**6),
            max_waiting_per_user=read.integer("MAX_WAITING_PER_USER", 5000, 0, 10**6),
            waiting_max=read.integer("WAITING_MAX", 200_000, 0, 10**7),
            session_max_bytes=read.integer("SESSION_MAX_BYTES", 2**28, 10_000, 2**40),
            history_max_bytes=read.integer("HISTORY_MAX_BYTES", 4_000_000, 10_000, 2**30),
            lease=read.seconds("LEASE_SECONDS", 15, 1),
            flush_interval=read.seconds("FLUSH_INTERVAL", 0.010, 0),
            stop_timeout=read.seconds("STOP_TIMEOUT", 30, 0.1),
            start_deadline=read.seconds("START_DEADLINE", 120, 0),
            run_deadline=read.seconds("RUN_DEADLINE", 6 * 3600, 1),
            post_timeout=read.seconds("POST_TIMEOUT", 120, 0.1),
            post_margin=read.seconds("POST_MARGIN", 5, 0.1),
            gateway_max_runs=read.integer("GATEWAY_MAX_RUNS", 0, 0, 100_000),
            gateway_ca_file=read.optional_path("GATEWAY_CA_FILE"),
            connect_timeout=read.seconds("CONNECT_TIMEOUT", 3.05, 0.1),
            drain=read.seconds("DRAIN_SECONDS", 300, 0),
            web_drain=read.seconds("WEB_DRAIN_SECONDS", 5, 0),
            watchdog=read.seconds("WATCHDOG_SECONDS", 5, 0.1),
            log_ttl=read.seconds("LOG_TTL", 3600, 60),
            checkpoint_bytes=read.integer("CHECKPOINT_BYTES", 256 * 1024, 1024, 2**30),
            event_max_bytes=read.integer("EVENT_MAX_BYTES", 64 * 1024, 1024, 2**24),
            stream_max_event_bytes=read.integer("STREAM_MAX_EVENT_BYTES", 2**24, 1024, 2**28),
            frame_max_bytes=read.integer("FRAME_MAX_BYTES", 1_000_000, 1024, 2**26),
            socket_queue_max=read.integer("SOCKET_QUEUE_MAX", 2000, 10, 10**6),
            socket_unsent_max_bytes=read.integer("SOCKET_UNSENT_MAX_BYTES", 2**24, 2**16, 2**32),
            unsent_max_bytes=read.integer("UNSENT_MAX_BYTES", 2**28, 2**20, 2**40),
            connections_max=read.integer("CONNECTIONS_MAX", 20_000, 10, 10**6),
            unauthenticated_max=read.integer("UNAUTHENTICATED_MAX", 2000, 1, 10**6),
            unauthenticated_per_address=read.integer("UNAUTHENTICATED_PER_ADDRESS", 500, 1, 10**6),
            sockets_per_owner=read.integer("SOCKETS_PER_OWNER", 20_000, 1, 10**6),
            sessions_per_socket=read.integer("SESSIONS_PER_SOCKET", 1000, 1, 10**6),
            requests_per_second=read.integer("REQUESTS_PER_SECOND", 50, 1, 10**6),
            owner_requests_per_second=read.integer("OWNER_REQUESTS_PER_SECOND", 5000, 1, 10**6),
            reap_every=read.seconds("REAP_SECONDS", 2, 0.1),
            flower_url=read.parsed("FLOWER_URL", "", addresses.page_url),
            log_level=read.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR")),
            log_format=read.choice("LOG_FORMAT", "text", ("TEXT", "JSON")),
            runtime=read.choice("RUNTIME", "eventlet", ("EVENTLET", "GEVENT")).lower(),
            traces_url=read.parsed("TRACES_URL", "", addresses.collector_url),
            retention_days=read.days("RETENTION_DAYS", 0),
            retention_of_owners=read.days_by_name("RETENTION_OF_OWNERS"),
            retention_runs_days=read.days("RETENTION_RUNS_DAYS", 0),
            retention_usage_days=read.days("RETENTION_USAGE_DAYS", 0),
            ephemeral_life=read.seconds("EPHEMERAL_SECONDS", 86_400, 0),
            metrics_host=read.text("METRICS_HOST", "127.0.0.1"),
            metrics_port=read.integer("METRICS_PORT", 0, 0, 65535),
            metrics_token=read.token("METRICS_TOKEN"),
        )
        read.require(
            set(settings.transports) <= {"websocket", "polling"} and settings.transports != (),
            "TRANSPORTS: websocket and polling are the only ones",
        )
        read.require(
            not (settings.auth_disabled and settings.tokens_file),
            "TOKENS_FILE: nobody needs a token while AUTH_DISABLED is set; unset one of them",
        )
        read.require(
            not re.search(r"[\x00-\x1f\x7f\ud800-\udfff]", str(home)),
            "HOLDFAST_HOME: its path has a control character or one that is not in UTF-8; choose "
            "another folder",
        )
        _require_access(read, settings)
        _require_jwt(read, settings)
        _require_lease(read, settings)
        read.finish()
        return settings


def own_database(home: Path) -> str:
    """Return the address of the database in a home."""
    return f"sqlite:///{quote(str(home / 'holdfast.db'), errors='replace')}"


def _require_access(read: VariableReader, settings: Settings) -> None:
    """Require a token wherever other machines can connect, unless the opposite is confirmed."""
    open_access = read.flag("OPEN_ACCESS")
    read.require(
        not settings.auth_disabled or is_loopback(settings.host) or open_access,
        f"AUTH_DISABLED: on HOST={settings.host} everybody who reaches this machine could use the "
        "agent; set OPEN_ACCESS=1 if that is meant",
    )
    read.require(
        not settings.has_short_token or is_loopback(settings.host) or open_access,
        f"AUTH_TOKEN: on HOST={settings.host} it needs {SHORTEST_TOKEN} characters or more, or "
        "guessing finds it; `openssl rand -hex 16` prints one",
    )


def _require_jwt(read: VariableReader, settings: Settings) -> None:
    """Require what makes JWTs safe: a strong secret, and with published keys, whom they are for."""
    secret, published = settings.jwt_secret, settings.jwt_jwks_file or settings.jwt_jwks_url
    read.require(
        not secret or (_bytes(secret) >= SHORTEST_SECRET and "-----" not in secret),
        f"JWT_SECRET: needs {SHORTEST_SECRET} bytes or more, and is no public key; "
        "for public keys there is JWT_JWKS_FILE",
    )
    read.require(
        not (settings.jwt_jwks_file and settings.jwt_jwks_url),
        "JWT_JWKS_URL: the keys are in JWT_JWKS_FILE already; unset one of them",
    )
    read.require(
        not published or bool(settings.jwt_issuer and settings.jwt_audience),
        "JWT_ISSUER, JWT_AUDIENCE: are needed with JWT_JWKS_FILE and JWT_JWKS_URL, whose keys sign "
        "tokens for others, too",
    )
    read.require(
        settings.has_jwt
        or bool(read.text("JWT_JWKS_URL", ""))  # one that is wrong is named already
        or not (settings.jwt_issuer or settings.jwt_audience),
        "JWT_ISSUER, JWT_AUDIENCE: need JWT_SECRET, JWT_JWKS_FILE or JWT_JWKS_URL beside them",
    )
    read.require(
        not (settings.auth_disabled and settings.has_jwt),
        "AUTH_DISABLED: nobody needs a token while it is set; unset it, or the JWT settings",
    )
    read.require(settings.jwt_leeway.total_seconds() <= 600, "JWT_LEEWAY: at most 600 seconds")
    read.require(settings.recheck_every.total_seconds() <= 60, "RECHECK_SECONDS: at most 60")
    read.require(
        not settings.cookie_key or _bytes(settings.cookie_key) >= SHORTEST_SECRET,
        f"COOKIE_KEY: needs {SHORTEST_SECRET} bytes or more",
    )


def _bytes(secret: str) -> int:
    """Its length; what is not in UTF-8 is named already."""
    return len(secret.encode(errors="replace"))


def _require_lease(read: VariableReader, settings: Settings) -> None:
    """Require a lease that outlives renewals that wait for the one writer of SQLite (R35)."""
    if not is_sqlite(settings.database_url):
        return
    try:
        busy = busy_seconds(settings.database_url)
    except ValueError:
        read.require(False, "DATABASE_URL: timeout= needs a number of seconds")
        return
    least = 3 * busy / (1 - 3 * settings.renew_every / settings.lease)
    read.require(
        settings.lease.total_seconds() >= least,
        f"LEASE_SECONDS: on SQLite at least {least:g}, three times renewal interval plus busy "
        f"timeout ({busy:g} s; `?timeout=` of DATABASE_URL)",
    )
