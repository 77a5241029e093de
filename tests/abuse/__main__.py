"""`python -m tests.abuse [attack …]`: each attack on a stack of its own, and what it costs.

--tree FOLDER   the packages of another version, to compare with
--rest SECONDS  how long after the attack the process is looked at again
--before N      so many attacks before the one that is measured, each with its rest
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import time
from pathlib import Path

from deploy.local.ports import free_port
from tests.abuse.attacker import ATTACKS, attacker
from tests.abuse.observe import Bystander, use_of
from tests.support.servers.processes import Processes, RunningProcess, wait_for_http

THEIRS = ("REDIS_URL", "DATABASE_URL", "AUTH_TOKEN", "AUTH_DISABLED", "HERMES_API_KEY")


class Target:
    """`holdfast up` of some version, in a home of its own, with 1,024 files per process."""

    def __init__(self, folder: Path, tree: Path | None) -> None:
        self.port = free_port()
        self._processes = Processes(folder)
        kept = {name: text for name, text in os.environ.items() if name not in THEIRS}
        environment = kept | {
            "HOME": str(folder),
            "HERMES_HOME": str(folder / "no-hermes"),
            "HOLDFAST_HOME": str(folder / "home"),
            "HERMES_URL": f"http://127.0.0.1:{free_port()}",
        }
        if tree is not None:
            environment["PYTHONPATH"] = str(tree)
        up = f"{sys.executable} -P -m deploy.cli up --port {self.port}"
        command = ("sh", "-c", f"ulimit -Sn 1024; exec {up}")
        self.log: RunningProcess = self._processes.start("up", command, environment)
        self.log.wait_for_log("stop      Ctrl-C", within=60)
        self.url = f"http://127.0.0.1:{self.port}"
        wait_for_http(f"{self.url}/readyz")
        self.token = (folder / "home" / "token").read_text().strip()

    @property
    def web(self) -> int:
        """The id of the web process."""
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                line = (folder / "cmdline").read_text().replace("\0", " ").strip()
                mine = f"PORT={self.port}".encode() in (folder / "environ").read_bytes().split(
                    b"\0"
                )
            except OSError:
                continue
            if mine and line.endswith("-m web"):
                return int(folder.name)
        raise RuntimeError("there is no web process")

    def stop(self) -> None:
        """End all of it."""
        self._processes.stop_all()


def measure(name: str, tree: Path | None, rest: float, earlier: int) -> str:
    """One row of the table."""
    with tempfile.TemporaryDirectory(prefix="holdfast-abuse-") as folder:
        target = Target(Path(folder), tree)
        bystander = Bystander(target.url, target.token)
        try:
            bystander.first_tokens(2)
            for _ in range(earlier):
                with attacker(name, target.port, target.token):
                    bystander.first_tokens()
                time.sleep(rest)
            quiet, before = bystander.first_tokens(), use_of(target.web)
            written = len(target.log.log())
            with attacker(name, target.port, target.token):
                during, peak = bystander.first_tokens(), use_of(target.web)
            burned = peak.cpu - before.cpu
            time.sleep(rest)
            after, later = use_of(target.web), bystander.first_tokens()
            lines = target.log.log()[written:]
        finally:
            bystander.leave()
            target.stop()
    traces = len(re.findall("Traceback", lines))
    return (
        f"{name:28} first token {quiet * 1000:6.0f} {during * 1000:8.0f} {later * 1000:8.0f} ms  "
        f"CPU {burned:5.1f} s  files {before.files:4} {peak.files:5} {after.files:5}  "
        f"threads {before.threads} {peak.threads} {after.threads}  "
        f"MB {before.megabytes:5.0f} {peak.megabytes:6.0f} {after.megabytes:6.0f}  "
        f"log {len(lines) / 1000:7.0f} KB, {traces} tracebacks"
    )


def main() -> int:
    """Measure the attacks that were named, or all. Each figure: before, during, after."""
    parser = argparse.ArgumentParser(prog="python -m tests.abuse")
    parser.add_argument("wanted", nargs="*", help="the beginning of an attack's name; none: all")
    parser.add_argument("--tree", type=Path)
    parser.add_argument("--rest", type=float, default=60.0)
    parser.add_argument("--before", type=int, default=0)
    options = parser.parse_args()
    for name in ATTACKS:
        if not options.wanted or name.startswith(tuple(options.wanted)):
            print(measure(name, options.tree, options.rest, options.before), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
