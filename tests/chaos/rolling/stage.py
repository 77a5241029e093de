"""Web processes with a port each behind nginx, workers, PostgreSQL; perhaps of the release before.

`release-before.tar.xz` holds the packages of that release (commit 2ebb8fa, the last one before
migration 0015) without the vocabulary, which has not changed:

    git archive COMMIT web worker shared ':(exclude)web/ui' \\
        ':(exclude)shared/conversation/vocabulary/*.tiktoken' | xz -9e
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from deploy.local.ports import free_port
from shared.conversation.tokens import VOCABULARY
from tests.chaos.clients.streams import Streams
from tests.chaos.evidence.evidence import Row
from tests.chaos.stage import Stage
from tests.support.earlier_release import unpack_release
from tests.support.http_api import ApiClient
from tests.support.paths import ROOT
from tests.support.servers.processes import RunningProcess
from tests.support.servers.proxies import Proxy, find_program
from tests.support.servers.stack import TOKEN

ARCHIVE = Path(__file__).with_name("release-before.tar.xz")
MIGRATE = "import sys; from shared.db.migrate import upgrade; upgrade(sys.argv[1])"


class RollingStage(Stage):
    """`url` is nginx's once it has been started."""

    def __init__(self, *, web: int, workers: int, slots: int, from_release_before: bool) -> None:
        """`slots`: runs that a worker has at once. `from_release_before`: processes are of the
        release before until `migrate` was called."""
        super().__init__(postgres=True, web=web, workers=workers, lease=15.0)
        self.environment |= {
            "TRUSTED_PROXIES": "127.0.0.0/8",
            "WORKER_CONCURRENCY": str(slots),
            "WEB_DRAIN_SECONDS": "5",
        }
        self._ports = [self.port, *(free_port() for _ in range(1, web))]
        self._release = _unpacked(self.folder) if from_release_before else ROOT
        self._proxy: Proxy | None = None
        self._streams: Streams | None = None

    def start(self) -> RollingStage:
        super().start()
        program = find_program("nginx")
        assert program is not None, "no nginx: install nginx-light"
        self._proxy = Proxy("nginx", program, self._ports)
        self.url = self._proxy.url
        return self

    def migrate(self) -> None:
        """Migrate to the present schema; processes that are started from now on are of the present
        release."""
        self._release = ROOT
        self._migrate()

    def open_streams(self, sessions: list[str]) -> None:
        """Read the event streams of these sessions from now on."""
        self._streams = Streams(ApiClient(self.url, TOKEN), sessions)

    def streamed(self) -> dict[str, list[Row]]:
        if self._streams is None:
            return {}
        self._streams.close()
        return self._streams.received()

    def end(self, *, keep: bool) -> Path | None:
        if self._proxy is not None:
            if keep:
                (self.folder / "nginx.log").write_text(self._proxy.log())
            self._proxy.stop()
        return super().end(keep=keep)

    def _migrate(self) -> None:
        subprocess.run(
            [sys.executable, "-P", "-c", MIGRATE, self._direct_url],
            env={**os.environ, "PYTHONPATH": str(self._release)},
            check=True,
        )

    def _begin(self, role: str, number: int) -> RunningProcess:
        if role == "web":  # one at a time is replaced
            self.environment["PORT"] = str(self._ports[number])
        return super()._begin(role, number)

    def _start(self, name: str, *module: str) -> RunningProcess:
        path = os.pathsep.join([str(self._release), self.environment["PYTHONPATH"]])
        environment = self.environment_of({"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"})
        # `-P`: the packages of the present folder would come before those of PYTHONPATH.
        return self._processes.start(name, (sys.executable, "-P", "-m", *module), environment)


def _unpacked(folder: Path) -> Path:
    tree = unpack_release(ARCHIVE, folder / "release-before")
    target = tree / "shared" / "conversation" / "vocabulary"
    target.mkdir(exist_ok=True)
    shutil.copy(VOCABULARY, target / VOCABULARY.name)
    return tree
