"""The web process: `python -m web`."""

from shared import gc_tuning

gc_tuning.put_off()

from shared.runtime import patch

patch()

import logging
import os
import signal
import sys
import time
from collections.abc import Sequence

from shared import listening, log_setup, runtime, unused_libraries, user_tokens
from shared.conversation import tokens
from shared.errors import SettingsError
from shared.file_limit import raise_file_limit
from shared.hermes.profiles import Profiles
from shared.malloc_tuning import give_large_blocks_back
from shared.probes.pulse import Pulse
from shared.service import Service
from shared.settings import SHORTEST_TOKEN as LEAST
from shared.settings import Settings

with unused_libraries.hidden(
    *("aiohttp", "tornado", "valkey", "requests", "websocket", "opentelemetry.sdk.metrics")
):
    import flask_socketio  # noqa: F401 - here, without them
    import redis  # noqa: F401

from shared.redis_check import require_usable
from web.app import build
from web.server.http_server import HttpServer
from web.sockets.engineio_internals import IncompatibleLibrary

gc_tuning.go_on()

log = logging.getLogger("web")


def main() -> int:
    """Serve until SIGTERM or SIGINT; the exit code."""
    try:
        settings = Settings.load(os.environ)
        _require(settings)
        require_usable(settings)
        profiles = Profiles.load(settings)
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201 - before there is a log
        return 2
    log_setup.configure("web", settings.log_level, settings.log_format, runtime.native_lock)
    log.info("web.starting files=%s runtime=%s", raise_file_limit(), runtime.async_mode())
    if settings.has_short_token:
        log.warning("auth.short_token characters=%s least=%s", len(settings.auth_token), LEAST)
    give_large_blocks_back()
    tokens.preload()
    stopping = _stop_flag()
    try:
        process = build(settings, profiles)
        listener = runtime.listen(settings.host, settings.port)
    except IncompatibleLibrary as error:
        log.error("web.incompatible_library library=%s missing=%s", error.library, error.missing)
        print(error, file=sys.stderr)  # noqa: T201 - for the person who starts it
        return 2
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201 - for the person who starts it
        return 2
    server = HttpServer(listener, process.wsgi, process.table, process.faults, process.body_max)
    process.start()
    gc_tuning.settle()
    server.service.start()
    port = listener.getsockname()[1]
    log.info("web.listening url=%s pid=%s", listening.url(settings.host, port), os.getpid())
    services = [server.service, *process.services]
    pulse = Pulse(
        "web",
        settings.home,
        live=lambda: {service.name: service.healthy for service in services},
        ready=process.health.dependencies,
    )
    pulse.start()
    dead = _wait(stopping, services)
    log.info("web.stopping sockets=%s", len(process.connections))
    server.service.stop()
    process.stop()
    pulse.stop()
    log.info("web.stopped")
    return 1 if dead else 0


def _wait(stopping: Sequence[int], services: Sequence[Service]) -> bool:
    """Wait for a signal. True when a service has ended instead: the process can no longer serve,
    and its supervisor starts another one."""
    while not stopping:
        time.sleep(0.05)
        dead = [service.name for service in services if not service.healthy]
        if dead:
            log.critical("web.service_ended names=%s", ",".join(dead))
            return True
    return False


def _require(settings: Settings) -> None:
    """What `holdfast up` provides and this process alone cannot."""
    faults = []
    if not settings.redis_url:
        faults.append("REDIS_URL: is missing; `holdfast up` brings a server of its own")
    ways = (settings.auth_token, settings.tokens_file, settings.has_jwt, settings.auth_disabled)
    if not any(ways):
        faults.append("AUTH_TOKEN: is missing, so nobody could connect")
    if faults:
        raise SettingsError(faults)
    if settings.tokens_file is not None:
        user_tokens.read(settings.tokens_file)
    if settings.jwt_jwks_file is not None:
        from web.access.key_sources import read_key_file

        read_key_file(settings.jwt_jwks_file)


def _stop_flag() -> list[int]:
    """A list that a signal's number is put into: handlers run inside the hub and may not wait."""
    received: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda got, _frame: received.append(got))
    return received


if __name__ == "__main__":
    sys.exit(main())
