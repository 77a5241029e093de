"""A root folder made of Debian packages, in which commands run as in a container: it knows mounts
and users, and nothing of what is run. Needs the rights of root."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

PACKAGES: Final = ("python3", "python3-venv", "ca-certificates")
SUITE: Final = "bookworm"
PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# What a builder's network and this machine's pip need.
BORROWED: Final = (
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/pip.conf",
    "/etc/ssl/certs/ca-certificates.crt",
)


def bare(folder: Path) -> None:
    """Make the root that all stages begin with, unless it is there."""
    if (folder / "made").is_file():
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    options = ["--variant=minbase", f"--include={','.join(PACKAGES)}"]
    subprocess.run(["debootstrap", *options, SUITE, str(folder), _mirror()], check=True)
    (folder / "made").touch()


def _mirror() -> str:
    """Where this machine gets the packages of that suite from."""
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME)", "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=True,
    )
    pairs = (line.split() for line in listed.stdout.splitlines())
    return next(address for address, suite in pairs if suite == SUITE)


class Root:
    """One such folder. `environment` is that of the commands."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.environment = {"PATH": PATH, **environment}
        self.work = "/"

    @classmethod
    def like(cls, base: Path, folder: Path) -> Root:
        """A copy of `base`, which may reach the network."""
        subprocess.run(["cp", "-a", "--reflink=auto", str(base), str(folder)], check=True)
        for name in BORROWED:
            if Path(name).is_file():
                shutil.copyfile(name, folder / name[1:])
        return cls(folder, {name: value for name, value in os.environ.items() if "PIP_" in name})

    def inside(self, path: str) -> Path:
        """Where a path of the commands, seen from their folder, is on this machine."""
        return self.folder / (Path(self.work) / path).relative_to("/")

    def run(self, command: str) -> None:
        """Run a shell command as root. Raises CalledProcessError."""
        subprocess.run(self.words(["/bin/sh", "-ec", command]), check=True)

    def words(
        self,
        command: Sequence[str],
        *,
        user: str = "0:0",
        mounts: Sequence[str] = (),
        **environment: str,
    ) -> list[str]:
        """The words that run `command` inside, with mounts of its own, in the folder `work`.

        `mounts`: shell commands before it, in which $ROOT is the folder.
        """
        variables = [f"{name}={value}" for name, value in (self.environment | environment).items()]
        inner = ["/usr/bin/env", "-i", f"--chdir={self.work}", *variables, *command]
        steps = [
            'mount --bind "$ROOT" "$ROOT"',
            *mounts,
            'mount -t proc proc "$ROOT/proc"',
            'mount --rbind /dev "$ROOT/dev"',
            f'exec chroot --userspec={user} "$ROOT" {shlex.join(inner)}',
        ]
        script = "\n".join([f"ROOT={shlex.quote(str(self.folder))}", *steps])
        return ["unshare", "--mount", "/bin/sh", "-ec", script]
