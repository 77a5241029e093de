"""A process with a supervisor whose roles misbehave.

    python -m tests.support.servers.fake_stack FOLDER ROLE...

Every process of a role appends its id to FOLDER/ROLE.pids.
"""

import os
import sys
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

from deploy.errors import StartFailedError
from deploy.local.embedded_redis import EmbeddedRedis, packaged_binary
from deploy.supervisor import supervisor
from deploy.supervisor.child import Role
from deploy.supervisor.orphan_guard import OrphanGuard
from deploy.supervisor.prefixed_output import PrefixedOutput
from deploy.supervisor.supervisor import Supervisor

SIGN = """
import os, signal, subprocess, sys, time
def sign():
    with open(os.environ["PIDS"], "a") as file:
        file.write(f"{os.getpid()}\\n")
"""
SCRIPTS = {
    "calm": "sign(); time.sleep(600)",
    "stubborn": "signal.signal(signal.SIGTERM, signal.SIG_IGN); sign(); time.sleep(600)",
    "patient": "signal.signal(signal.SIGTERM, signal.SIG_IGN); sign(); time.sleep(600)",
    "parent": (
        "sign(); code = 'import time; time.sleep(600)';"
        "child = subprocess.Popen([sys.executable, '-c', code]);"
        "open(os.environ['PIDS'], 'a').write(f'{child.pid}\\n'); child.wait()"
    ),
    "hasty": "print('cannot start'); sys.exit(3)",
    # It answers, and after a while no more; it ends on SIGTERM.
    "deaf": "sign(); time.sleep(600)",
    "mute": "sign(); os.close(1); os.close(2); time.sleep(600)",
    "chatty": "sign(); sys.stdout.write('x' * 100_000 + '\\nand more\\n'); sys.stdout.flush();"
    "time.sleep(600)",
}


def role(folder: Path, name: str) -> Role:
    """The role of this name."""
    pids = folder / f"{name}.pids"
    environment = {**os.environ, "PIDS": str(pids)}
    if name == "redis":
        server = EmbeddedRedis.prepare(packaged_binary(), folder / "redis")
        return Role(name, server.command, environment, 0, server.is_ready)
    command = (sys.executable, "-c", SIGN + SCRIPTS[name])
    grace = timedelta(seconds=600 if name == "patient" else 1)
    if name == "hasty":
        return Role(name, command, environment, 1, lambda: False, grace)
    asked = answers_at_first(pids) if name == "deaf" else None
    return Role(name, command, environment, 1, partial(has_signed, pids), grace, asked)


def answers_at_first(pids: Path) -> Callable[[], int | None]:
    """Each process of the role answers once, and then no more."""
    asked: set[int] = set()

    def answer() -> int | None:
        pid = int(pids.read_text().split()[-1])
        if pid in asked:
            return None
        asked.add(pid)
        return pid

    return answer


def has_signed(pids: Path) -> bool:
    """Whether a process of the role has written its id."""
    return pids.exists() and pids.stat().st_size > 0


def main() -> int:
    """Run until a signal."""
    supervisor.ASK_EVERY = 0.05
    folder, names = Path(sys.argv[1]), sys.argv[2:]
    output = PrefixedOutput(sys.stdout, coloured=False)
    guard = OrphanGuard()
    try:
        Supervisor([role(folder, name) for name in names], output, guard).run(
            lambda: output.write_plain("all ready")
        )
    except StartFailedError as error:
        output.write_plain(f"failed: {error}")
        return 1
    finally:
        guard.close()
    output.write_plain("all stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
