"""Deletes a session with the `hermes` command, for gateways that cannot do it over HTTP."""

import shutil
import subprocess
from pathlib import Path

from shared.errors import GatewayError, GatewayUnsupported
from worker.gateway import hermes_state_db

TIMEOUT = 60.0  # seconds; the command needs a few to start


def delete_session(home: Path | None, session_id: str) -> bool:
    """Run `hermes sessions delete` in the profile's home; False if there was no such session.

    Raises GatewayUnsupported when this machine does not have the home or the command,
    GatewayError when the command fails.
    """
    command = shutil.which("hermes")
    if home is None or command is None:
        what = "Hermes home of this profile" if home is None else "hermes command"
        raise GatewayUnsupported(
            f"The gateway cannot delete sessions over HTTP, and there is no {what} here."
        )
    if hermes_state_db.read(home, session_id) is None:
        return False  # the command accepts a unique prefix of an id: look for the whole one
    delete = [command, "sessions", "delete", "--yes", "--", session_id]  # it may begin with "-"
    output = _run_command(["env", f"HERMES_HOME={home}", *delete])
    if f"Deleted session '{session_id}'" in output:
        return True
    if "not found" in output:
        return False
    raise GatewayError(f"hermes sessions delete: {output.strip()[-300:]}")


def _run_command(command: list[str]) -> str:
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
    output = done.stdout.decode(errors="replace")
    if done.returncode != 0:
        raise GatewayError(
            f"hermes sessions delete: exit {done.returncode}: {output.strip()[-300:]}"
        )
    return output
