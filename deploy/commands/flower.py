"""`holdfast flower`: Flower, the web page of the task queues; its password is the token."""

import os
import re
from pathlib import Path

from deploy.errors import DeployError
from shared.settings import Settings
from shared.task_queue import celery_app

USER = "holdfast"
MAX_TASKS = 10_000  # in memory; Flower's own default is ten times that
SAVE_EVERY = 60_000  # milliseconds
# Variables of Flower that would let others in, or have it listen elsewhere.
NOT_HEEDED = ("ADDRESS", "UNIX_SOCKET", "AUTH", "AUTH_PROVIDER", "UNAUTHENTICATED_API", "CONF")


def run(settings: Settings, token: str) -> None:
    """Serve Flower on 127.0.0.1, port 5555 or FLOWER_PORT, until the process is stopped.

    Raises DeployError for a token that Flower cannot use.
    """
    if "," in token:
        raise DeployError("Flower cannot use an AUTH_TOKEN with a comma in it; choose another")
    port = _port()
    _settle_variables()
    # In the environment: every user of the machine can read command lines.
    os.environ["FLOWER_BASIC_AUTH"] = f"{USER}:{token}"
    app = celery_app(settings)
    options = [
        "--persistent=True",
        f"--db={_state_file(settings)}",
        f"--state_save_interval={SAVE_EVERY}",
        "--address=127.0.0.1",
        f"--port={port}",
        f"--max_tasks={MAX_TASKS}",
        "--logging=warning",
    ]
    try:
        app.start(argv=["flower", *options])
    except ValueError as error:
        raise DeployError(f"a variable FLOWER_… cannot be used: {error}") from error


def _state_file(settings: Settings) -> Path:
    """Where the list of tasks is kept, so that it is there after a restart."""
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    return settings.home / "flower"


def _port() -> int:
    """FLOWER_PORT. Raises DeployError."""
    given = os.environ.get("FLOWER_PORT", "").strip() or "5555"
    if not re.fullmatch(r"[0-9]{1,5}", given) or int(given) > 65535:
        raise DeployError(f"FLOWER_PORT: {given[:80]!r} is not a port, from 0 to 65535")
    return int(given)


def _settle_variables() -> None:
    """Empty ones count as not set."""
    for name in list(os.environ):
        kind = name.removeprefix("FLOWER_")
        if kind != name and (kind in NOT_HEEDED or not os.environ[name].strip()):
            del os.environ[name]
