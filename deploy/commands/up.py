"""`holdfast up`: starts a whole Holdfast on this machine, under one supervisor."""

import os
import subprocess
import sys
import threading
import webbrowser
from collections.abc import Mapping
from dataclasses import replace

from deploy.commands.link import link
from deploy.errors import DeployError
from deploy.local.home import HomeLock, open_home
from deploy.local.ports import free_port, obstacle
from deploy.local.stack import Choices, LocalStack, plan, python
from deploy.supervisor.orphan_guard import OrphanGuard
from deploy.supervisor.prefixed_output import PrefixedOutput
from deploy.supervisor.supervisor import Supervisor
from shared.settings import Settings


def up(environ: Mapping[str, str], choices: Choices) -> None:
    """Start everything, print the address, run until Ctrl-C.

    Raises DeployError or SettingsError.
    """
    _open_standard_files()
    settings = _with_port(Settings.load(environ))
    os.umask(0o077)  # files of the roles may hold conversations
    home = open_home(settings.home)
    lock = HomeLock(home)
    lock.acquire()
    try:
        stack = plan(settings, home, environ, choices)
        _migrate(stack)
        coloured = _is_terminal() and not environ.get("NO_COLOR")
        _supervise(stack, lock, coloured=coloured, open_page=choices.open_page)
    finally:
        lock.close()


def _open_standard_files() -> None:
    """Put /dev/null where the caller has closed one of the first three descriptors: the next file
    would get its number, and what is meant for a terminal would go into it."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)


def _is_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()


def _with_port(settings: Settings) -> Settings:
    """The settings with a port that is free; PORT=0 means any."""
    # SO_REUSEPORT would let the web role share the port, even with a Holdfast of another home.
    if found := obstacle(settings.host, settings.port):
        raise DeployError(f"{found} (`--port 0`: any that is free)")
    return settings if settings.port else replace(settings, port=free_port(settings.host))


def _migrate(stack: LocalStack) -> None:
    """Migrate in a process of its own, so that the supervisor loads no database library."""
    done = subprocess.run(
        python("deploy.cli", "migrate"),
        env=dict(stack.environment),
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        said = done.stderr.strip().removeprefix("holdfast: ")
        raise DeployError(f"the database could not be migrated: {said}")


def _supervise(stack: LocalStack, lock: HomeLock, *, coloured: bool, open_page: bool) -> None:
    output = PrefixedOutput(sys.stdout, coloured=coloured)
    # The guard process holds the lock until the last process is gone: two Redis servers on one
    # data folder would damage it.
    guard = OrphanGuard(keep_open=(lock.descriptor,))
    supervisor = Supervisor(stack.roles, output, guard)
    output.write_own_line("starting " + ", ".join(role.name for role in stack.roles))

    def when_ready() -> None:
        lock.describe(stack.url)
        page = link(stack.url, stack.token)
        output.write_plain(_banner(stack, page))
        if open_page and page is not None:
            # A browser for terminals would keep us waiting until it is left.
            threading.Thread(target=webbrowser.open, args=(page,), daemon=True).start()

    try:
        supervisor.run(when_ready)
    finally:
        guard.close()
    output.write_own_line("stopped; the data is kept for the next start")


def _banner(stack: LocalStack, page: str | None) -> str:
    signs_in = (
        "  (signs in once, within ten minutes; another: holdfast link)" if stack.token else ""
    )
    rows = {
        "page": f"{page}{signs_in}" if page else "not built; `make ui` builds it in a checkout",
        "address": f"{stack.url}  (Socket.IO namespace /chat-run)",
        "token": stack.token or "not needed: AUTH_DISABLED is set",
        "gateway": stack.gateway,
        "redis": stack.redis,
        "database": stack.database,
        "stop": "Ctrl-C",
    }
    lines = (f"  {name:<9} {text}" for name, text in rows.items())
    return "\nHoldfast is running.\n" + "\n".join(lines) + "\n"
