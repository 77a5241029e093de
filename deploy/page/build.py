"""Builds the page into `web/pages/built`, unless what is there was built from the same source.

What is built is put in its place as a whole: a web process that starts meanwhile finds either the
old page or the new one.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from deploy import ROOT
from deploy.page.node import Node, find_node

SOURCE: Final = Path(ROOT) / "web" / "ui"
BUILT: Final = Path(ROOT) / "web" / "pages" / "built"
CACHE: Final = Path(ROOT) / ".cache"
STAMP: Final = ".source"  # in the folder of the built page: the hash of what it was built from
_PACKAGES: Final = SOURCE / "node_modules"
_INSTALLED: Final = _PACKAGES / ".installed"


class BuildFailed(Exception):
    """A step of the build failed; the message is what it said."""


def build() -> bool:
    """Build the page if its source has changed; whether it did. Raises BuildFailed, NodeMissing."""
    with _alone():
        wanted = source_hash(SOURCE)
        if is_current(BUILT, wanted):
            return False
        node = find_node(CACHE)
        _install(node, with_tools=False)
        fresh = BUILT.with_name("built.new")
        shutil.rmtree(fresh, ignore_errors=True)
        _run(node, "run", "build", "--", "--logLevel", "warn", "--outDir", str(fresh))
        (fresh / STAMP).write_text(wanted)
        _replace(BUILT, fresh)
        return True


def check() -> None:
    """Format, lint, types and unit tests of the page. Raises BuildFailed, NodeMissing."""
    with _alone():
        node = find_node(CACHE)
        _install(node, with_tools=True)
        _run(node, "run", "--silent", "check")


def install_tools() -> None:
    """Install what checking needs beside building. Raises BuildFailed, NodeMissing."""
    with _alone():
        _install(find_node(CACHE), with_tools=True)


def build_client() -> Path:
    """Build the client for Node, for the tests with a real server, and give its script. Raises
    BuildFailed, NodeMissing."""
    return _build_for_tests("client") / "driver.js"


def build_reference() -> Path:
    """Build the script with which browser tests draw a text at once, and give it. Raises
    BuildFailed, NodeMissing."""
    return _build_for_tests("reference") / "reference.js"


def source_hash(source: Path) -> str:
    """The hash of names and contents of the page's source."""
    found = hashlib.sha256()
    for file in sorted(_files(source)):
        content = file.read_bytes()
        found.update(f"{file.relative_to(source).as_posix()}\0{len(content)}\0".encode())
        found.update(content)
    return found.hexdigest()


def is_current(built: Path, wanted: str) -> bool:
    """Whether the page in that folder was built from the source of this hash."""
    try:
        return (built / STAMP).read_text() == wanted
    except OSError:
        return False


def _files(source: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(source):
        folders[:] = [name for name in folders if name != "node_modules"]
        yield from (Path(folder) / name for name in names)


def _install(node: Node, *, with_tools: bool) -> None:
    """`npm ci`, unless what the lock file names is there. Building needs less than checking."""
    lock = (SOURCE / "package-lock.json").read_text()
    everything, wanted = f"all\n{lock}", f"build\n{lock}"
    found = _INSTALLED.read_text() if _INSTALLED.exists() else ""
    if found == everything or (found == wanted and not with_tools):
        return
    print("installing the packages of the page", flush=True)
    _run(node, "ci", *([] if with_tools else ["--omit=dev"]))
    _INSTALLED.write_text(everything if with_tools else wanted)


def _run(node: Node, *arguments: str) -> None:
    done = subprocess.run(
        node.command(*arguments),
        cwd=SOURCE,
        env=node.environment(os.environ),
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        said = "\n".join(filter(None, [done.stdout.strip(), done.stderr.strip()]))
        raise BuildFailed(f"npm {' '.join(arguments)} failed:\n{said}")


def _build_for_tests(name: str) -> Path:
    with _alone():
        node = find_node(CACHE)
        _install(node, with_tools=False)
        _run(node, "exec", "--", "vite", "build", "-c", f"vite.{name}.config.ts", "-l", "warn")
        return _PACKAGES / f".{name}"


def _replace(place: Path, fresh: Path) -> None:
    old = place.with_name("built.old")
    shutil.rmtree(old, ignore_errors=True)
    if place.exists():
        place.rename(old)
    fresh.rename(place)
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _alone() -> Iterator[None]:
    """One builder at a time: several test processes may ask at once."""
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "page.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        yield
