"""Virtual environments made from lock files, for programs that tests run beside the project.

They share no library with the project or with each other. They are in `.cache`, and made again when
their lock changes.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
from pathlib import Path

from tests.support.paths import ROOT

# Resolved: the scripts in an environment name its path, and copies of the tree link to .cache.
CACHE = (ROOT / ".cache").resolve()


class InstallError(Exception):
    """An environment could not be made; the text says what pip wrote."""


def locked_environment(name: str, lock: Path, cache: Path = CACHE) -> Path:
    """The environment of that name with what the lock says; made if it is missing.

    The variable `HOLDFAST_<NAME>_VENV`, in capitals and with `_` for other signs, names a ready
    one. Several test processes may call this at once: the first one installs, the others wait for
    it. Raises InstallError.
    """
    variable = "".join(sign if sign.isalnum() else "_" for sign in name.upper())
    ready = os.environ.get(f"HOLDFAST_{variable}_VENV")
    if ready:
        return Path(ready)
    folder = cache / name
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    stamp = folder / "lock.sha256"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{name}.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != wanted:
            _install(folder, lock)
            stamp.write_text(wanted)
    return folder


def _install(folder: Path, lock: Path) -> None:
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        # Not compiled: that takes as long as all the rest, and most of it is never imported.
        [*pip, "install", "--quiet", "--no-compile", "--require-hashes", "-r", str(lock)],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise InstallError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
