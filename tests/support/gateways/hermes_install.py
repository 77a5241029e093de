"""Installs the real gateway (`hermes-agent`) into an environment of its own, from a lock.

It shares no library with this project: its pins are its own. To renew the lock, edit
`hermes-requirements.in` and run in this folder
`uv pip compile --generate-hashes --no-emit-index-url --universal --python-version 3.11
hermes-requirements.in -o hermes-requirements.lock`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
from pathlib import Path

from tests.support.paths import ROOT

LOCK = Path(__file__).with_name("hermes-requirements.lock")
# Resolved, since the scripts in an environment name its path, and a copy of the tree links to .cache.
CACHE = (ROOT / ".cache").resolve() / "hermes-venv"


class HermesError(Exception):
    """The real gateway could not be installed or started; the text says where its log is."""


def environment(cache: Path = CACHE) -> Path:
    """The virtual environment that holds the gateway; made from the lock if it is missing.

    `HOLDFAST_HERMES_VENV` names a ready one. Several test processes may call this at once: the
    first one installs, the others wait for it. Raises HermesError if the installation fails.
    """
    ready = os.environ.get("HOLDFAST_HERMES_VENV")
    if ready:
        return Path(ready)
    cache.parent.mkdir(parents=True, exist_ok=True)
    wanted = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    stamp = cache / "lock.sha256"
    with cache.with_suffix(".lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != wanted:
            _install(cache)
            stamp.write_text(wanted)
    return cache


def _install(cache: Path) -> None:
    pip = [str(cache / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(cache)],
        [*pip, "install", "--quiet", "--require-hashes", "-r", str(LOCK)],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise HermesError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
