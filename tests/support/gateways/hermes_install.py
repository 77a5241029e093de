"""Installs the real gateway (`hermes-agent`) into environments of its own, one for each version.

The oldest version that Holdfast supports and the newest are tested, each from a lock with hashes.
`python -m tests.support.gateways.hermes_install` installs both. To renew a lock, edit
`hermes-VERSION.in` and run in this folder
`uv pip compile --generate-hashes --no-emit-index-url --no-emit-find-links --universal
--python-version 3.11 hermes-VERSION.in -o hermes-VERSION.lock`.
"""

from __future__ import annotations

from pathlib import Path

from tests.support.locked_environment import CACHE, InstallError, locked_environment

OLDEST, NEWEST = VERSIONS = ("0.13.0", "0.19.0")
LOCKS = Path(__file__).parent


class HermesError(Exception):
    """The real gateway could not be installed or started; the text says where its log is."""


def environment(version: str = NEWEST, cache: Path = CACHE) -> Path:
    """The virtual environment that holds this version; `HOLDFAST_HERMES_0_13_0_VENV`, and so on,
    names a ready one. Raises HermesError if the installation fails."""
    name = f"hermes-{version}"
    try:
        return locked_environment(name, LOCKS / f"{name}.lock", cache)
    except InstallError as error:
        raise HermesError(str(error)) from error


if __name__ == "__main__":
    for each in VERSIONS:
        environment(each)
