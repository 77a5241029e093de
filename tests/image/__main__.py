"""`python -m tests.image`: carries out the Dockerfile on roots of Debian packages, then runs web,
worker, maintenance and beat from the result, as a user without rights in a root that is read-only,
and has a turn.

Without a container engine this is the nearest to `docker build` and `docker run`. What differs: the
Python is Debian's, and the page is that of the checkout. Needs root, Linux and `debootstrap`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import requests

from deploy.local.ports import LOOPBACK, free_port
from tests.acceptance.answers import assert_whole, talk
from tests.image.build import Image, build
from tests.support.clients.socket_client import ClientLoop, SocketClient
from tests.support.gateways.demo_gateway import DemoGateway
from tests.support.locked_environment import CACHE
from tests.support.servers.processes import Processes, wait_for_http
from tests.support.servers.redis_server import RedisServer

TOKEN: Final = "the-token-of-the-image"
WORDS: Final = 100
# As in compose.yaml: read-only but for the home and /tmp.
MOUNTS: Final = (
    'mount --bind "$HOME_HERE" "$ROOT$HOME_THERE"',
    'mount -t tmpfs tmpfs "$ROOT/tmp"',
    'mount -o remount,bind,ro "$ROOT"',
)
ROLES: Final = ("web", "worker", "maintenance", "beat")


def main() -> None:
    """Build, run, and say how long it took; exit code 1 if something is not as it should be."""
    argparse.ArgumentParser(prog="tests.image", description=__doc__).parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="holdfast-image-") as folder:
        into = Path(folder)
        image = build(CACHE / "debian-bookworm", into, _say)
        size = _megabytes(image.root.inside("/opt/holdfast"))
        _say(f"built, {size:.0f} MB of Holdfast and its libraries")
        home = into / "home"
        home.mkdir(mode=0o700)
        os.chown(home, *map(int, image.user.split(":")))
        _run(Container(image, home), into)
    _say(f"{', '.join(ROLES)} ran and ended; {time.monotonic() - begun:.0f} s")


class Container:
    """How commands are run in the image, all with one home."""

    def __init__(self, image: Image, home: Path) -> None:
        self._image = image
        self._home = home

    def words(self, *arguments: str, **environment: str) -> list[str]:
        """Those that run `holdfast` with these arguments."""
        return self.any_words(*self._image.entrypoint, *arguments, **environment)

    def any_words(self, *command: str, **environment: str) -> list[str]:
        """Those that run any command."""
        places = (f"HOME_HERE={self._home}", f"HOME_THERE={self._image.home}")
        mounts = (*places, *MOUNTS)
        return self._image.root.words(command, user=self._image.user, mounts=mounts, **environment)


def _run(container: Container, logs: Path) -> None:
    port, running, redis = free_port(), Processes(logs), RedisServer()
    with DemoGateway.start(key="key-of-the-demo", max_runs=0) as gateway:
        settings = {
            "REDIS_URL": redis.url,
            "AUTH_TOKEN": TOKEN,
            "HERMES_URL": gateway.url,
            "HERMES_API_KEY": gateway.key,
            "HOST": LOOPBACK,
            "PORT": str(port),
        }
        try:
            subprocess.run(container.words("migrate", **settings), check=True)
            started = [running.start(role, container.words(role, **settings), {}) for role in ROLES]
            for process, text in zip(
                started[:3], ("web.listening", " ready.", " ready."), strict=True
            ):
                process.wait_for_log(text)
            url = f"http://{LOOPBACK}:{port}"
            wait_for_http(f"{url}/readyz")
            _look(container, url, started[0].pid)
            _talk(url)
            ended = {process.name: process.stop() for process in started}
            assert not any(ended.values()), ended
        finally:
            running.stop_all()
            redis.stop()


def _look(container: Container, url: str, pid: int) -> None:
    """What an operator would look at."""
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    users = next(line.split()[1:] for line in status.splitlines() if line.startswith("Uid:"))
    assert set(users) == {"10001"}, users
    page = requests.get(url, headers={"Accept": "text/html"}, timeout=20)
    assert page.ok, page.status_code
    assert "<script" in page.text
    refused = subprocess.run(
        container.any_words("/usr/bin/touch", "/opt/holdfast/x"), capture_output=True, check=False
    )
    assert b"Read-only file system" in refused.stderr, refused
    subprocess.run(container.words("probe", "live", "web"), check=True)


def _talk(url: str) -> None:
    loop = ClientLoop()
    try:
        client = SocketClient(loop, url, TOKEN)
        client.connect()
        assert_whole(client, client.run(talk(WORDS), "of-the-image"), WORDS)
        client.disconnect()
    finally:
        loop.stop()


def _megabytes(folder: Path) -> float:
    return sum(file.lstat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
