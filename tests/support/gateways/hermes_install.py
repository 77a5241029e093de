"""Installs the real gateway (`hermes-agent`) into environments of its own, one for each version.

The oldest version that Holdfast supports and the newest are tested, each from a lock with hashes;
they share no library with this project or with each other. `python -m
tests.support.gateways.hermes_install` installs both. To renew a lock, edit
`hermes-VERSION.in` and run in this folder
`uv pip compile --generate-hashes --no-emit-index-url --no-emit-find-links --universal
--python-version 3.11 hermes-VERSION.in -o hermes-VERSION.lock`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
from pathlib import Path

from tests.support.paths import ROOT

OLDEST, NEWEST = VERSIONS = ("0.13.0", "0.19.0")
LOCKS = Path(__file__).parent
# Resolved: the scripts in an environment name its path, and copies of the tree link to .cache.
CACHE = (ROOT / ".cache").resolve()


class HermesError(Exception):
    """The real gateway could not be installed or started; the text says where its log is."""


def environment(version: str = NEWEST, cache: Path = CACHE) -> Path:
    """The virtual environment that holds this version; made from its lock if it is missing.

    `HOLDFAST_HERMES_0_13_0_VENV`, and so on, names a ready one. Several test processes may call
    this at once: the first one installs, the others wait for it. Raises HermesError if the
    installation fails.
    """
    ready = os.environ.get(f"HOLDFAST_HERMES_{version.replace('.', '_')}_VENV")
    if ready:
        return Path(ready)
    lock = LOCKS / f"hermes-{version}.lock"
    folder = cache / f"hermes-{version}"
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    stamp = folder / "lock.sha256"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"hermes-{version}.lock").open("w") as guard:
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
            raise HermesError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    for each in VERSIONS:
        environment(each)
