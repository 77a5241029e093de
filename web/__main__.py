"""The web process: `python -m web`."""

from shared.runtime import patch

patch()

import logging
import os
import signal
import sys
import threading
import time
from typing import Any

from shared import gc_tuning, listening, log_setup, runtime, user_tokens
from shared.conversation import tokens
from shared.errors import SettingsError
from shared.hermes.profiles import Profiles
from shared.settings import Settings
from web.app import build
from web.sockets.engineio_internals import IncompatibleLibrary

log = logging.getLogger("web")

MAX_CONNECTIONS = 20_000


def main() -> int:
    """Serve until SIGTERM or SIGINT; the exit code."""
    try:
        settings = Settings.load(os.environ)
        _require(settings)
        profiles = Profiles.load(settings)
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201 - before there is a log
        return 2
    log_setup.configure("web", settings.log_level)
    tokens.preload()
    stopping = _stop_flag()
    try:
        process = build(settings, profiles)
    except IncompatibleLibrary as error:
        log.error("web.incompatible_library library=%s missing=%s", error.library, error.missing)
        print(error, file=sys.stderr)  # noqa: T201 - for the person who starts it
        return 2
    try:
        listener = runtime.listen(settings.host, settings.port)
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201 - for the person who starts it
        return 2
    process.start()
    gc_tuning.settle()
    _serve(listener, process.wsgi)
    port = listener.getsockname()[1]
    log.info("web.listening url=%s pid=%s", listening.url(settings.host, port), os.getpid())
    while not stopping:
        time.sleep(0.05)
    log.info("web.stopping sockets=%s", len(process.connections))
    listener.close()
    process.stop()
    log.info("web.stopped")
    return 0


def _require(settings: Settings) -> None:
    """What `holdfast up` provides and this process alone cannot."""
    faults = []
    if not settings.redis_url:
        faults.append("REDIS_URL: is missing; `holdfast up` brings a server of its own")
    if not (settings.auth_token or settings.tokens_file or settings.auth_disabled):
        faults.append("AUTH_TOKEN: is missing, so nobody could connect")
    if faults:
        raise SettingsError(faults)
    if settings.tokens_file is not None:
        user_tokens.read(settings.tokens_file)


def _stop_flag() -> list[int]:
    """A list that a signal's number is put into: handlers run inside the hub and may not wait."""
    received: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda got, _frame: received.append(got))
    return received


def _serve(listener: Any, wsgi: Any) -> None:
    threading.Thread(
        target=runtime.serve,
        args=(listener, wsgi),
        kwargs={"max_connections": MAX_CONNECTIONS},
        name="server",
        daemon=True,
    ).start()


if __name__ == "__main__":
    sys.exit(main())
