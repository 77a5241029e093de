"""`holdfast up`: everything on this machine, from nothing, under one supervisor."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace

from deploy.errors import DeployError
from deploy.local.home import HomeLock, open_home
from deploy.local.ports import free_port, is_free
from deploy.local.stack import Choices, LocalStack, plan, python
from deploy.supervisor.orphan_guard import Guard
from deploy.supervisor.prefixed_output import Output
from deploy.supervisor.supervisor import Supervisor
from shared.settings import Settings


def up(environ: Mapping[str, str], choices: Choices) -> None:
    """Start all, tell where, run until Ctrl-C. Raises DeployError or SettingsError."""
    settings = _with_port(Settings.load(environ))
    os.umask(0o077)  # what the roles write may hold what was said
    home = open_home(settings.home)
    lock = HomeLock(home)
    lock.take()
    try:
        stack = plan(settings, home, environ, choices)
        _migrate(stack)
        _supervise(stack, lock, coloured=sys.stdout.isatty() and not environ.get("NO_COLOR"))
    finally:
        lock.close()


def _with_port(settings: Settings) -> Settings:
    """The settings with a port that nobody listens on; PORT=0 means any."""
    if settings.port == 0:
        return replace(settings, port=free_port())
    # The web role shares its port with others of its kind, also with ones of another home.
    if not is_free(settings.host, settings.port):
        raise DeployError(
            f"port {settings.port} is taken; stop what listens there, or: holdfast up --port 0"
        )
    return settings


def _migrate(stack: LocalStack) -> None:
    """In a process of its own, so that the supervisor stays small."""
    done = subprocess.run(
        python("deploy.cli", "migrate"),
        env=dict(stack.environment),
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise DeployError(f"the database could not be prepared:\n{done.stderr.strip()}")


def _supervise(stack: LocalStack, lock: HomeLock, *, coloured: bool) -> None:
    output = Output(sys.stdout, coloured=coloured)
    # The guard keeps the lock until the last process is gone: two servers on one folder of data
    # would ruin it.
    guard = Guard(keep_open=(lock.descriptor,))
    supervisor = Supervisor(stack.roles, output, guard)
    output.say("starting " + ", ".join(role.name for role in stack.roles))

    def when_ready() -> None:
        lock.describe(stack.url)
        output.plain(_banner(stack))

    try:
        supervisor.run(when_ready)
    finally:
        guard.close()
    output.say("stopped; the data stays for the next start")


def _banner(stack: LocalStack) -> str:
    rows = {
        "address": f"{stack.url}  (Socket.IO namespace /chat-run)",
        "token": stack.token or "none needed: AUTH_DISABLED is set",
        "gateway": stack.gateway,
        "redis": stack.redis,
        "database": stack.database,
        "stop": "Ctrl-C",
    }
    lines = (f"  {name:<9} {text}" for name, text in rows.items())
    return "\nHoldfast is running.\n" + "\n".join(lines) + "\n"
