"""Deletes a session with the `hermes` command, for gateways that cannot do it over HTTP."""

import shutil
import subprocess
from pathlib import Path

from shared.errors import GatewayError, GatewayUnsupported
from worker.gateway import hermes_state_db

TIMEOUT = 60.0  # seconds; the command needs a few to start


def delete_session(home: Path | None, session_id: str) -> bool:
    """Run `hermes sessions delete` in the profile's home; False if there was no such session.

    Raises GatewayLacks when this machine has not got the home or the command, GatewayError when
    the command fails.
    """
    command = shutil.which("hermes")
    if home is None or command is None:
        what = "Hermes home of this profile" if home is None else "hermes command"
        raise GatewayUnsupported(
            f"The gateway cannot delete sessions over HTTP, and there is no {what} here."
        )
    if hermes_state_db.read(home, session_id) is None:
        return False  # the command takes a unique beginning for the whole name, so ask before
    delete = [command, "sessions", "delete", "--yes", "--", session_id]  # it may begin with "-"
    said = _run(["env", f"HERMES_HOME={home}", *delete])
    if f"Deleted session '{session_id}'" in said:
        return True
    if "not found" in said:
        return False
    raise GatewayError(f"hermes sessions delete: {said.strip()[-300:]}")


def _run(command: list[str]) -> str:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise GatewayError(f"hermes sessions delete: {type(error).__name__}") from error
    said = done.stdout.decode(errors="replace")
    if done.returncode != 0:
        raise GatewayError(f"hermes sessions delete: exit {done.returncode}: {said.strip()[-300:]}")
    return said
