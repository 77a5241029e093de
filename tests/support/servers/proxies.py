"""nginx and Caddy with the configuration that is shipped, in front of web processes."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deploy.local.ports import LOOPBACK, free_port
from tests.support.paths import ROOT
from tests.support.servers.processes import RunningProcess, wait_for_http
from tests.support.servers.stack import Stack

NGINX_FOLDER = ROOT / "deploy" / "nginx"
CADDYFILE = ROOT / "deploy" / "caddy" / "Caddyfile"
# What the nginx.conf of a distribution says around it; all files in the folder of the test.
NGINX_MAIN = """\
daemon off;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 1024; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include holdfast/holdfast.conf;
}}
"""


def find_program(name: str) -> str | None:
    """A proxy's program, or None. Debian has nginx where only administrators' PATH leads."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin")


class SeparateWebs(Stack):
    """A stack whose web processes have a port each, as they have behind a proxy."""

    def __init__(self, *, web: int, **settings: Any) -> None:
        super().__init__(web=web, TRUSTED_PROXIES="127.0.0.0/8", **settings)
        self.ports = [self.port, *(free_port() for _ in range(1, web))]

    def _start_web(self, number: int) -> RunningProcess:
        self.environment["PORT"] = str(self.ports[number])
        return super()._start_web(number)


class Proxy:
    """A running proxy; `url` is its address."""

    def __init__(self, kind: str, program: str, ports: Sequence[int]) -> None:
        """`kind`: nginx or caddy. `ports`: of the web processes on this machine."""
        self.folder = Path(tempfile.mkdtemp(prefix=f"holdfast-{kind}-"))
        self.folder.chmod(0o755)  # nginx' workers run under another account
        self._port = free_port()
        self.url = f"http://{LOOPBACK}:{self._port}"
        prepare = {"nginx": self._nginx, "caddy": self._caddy}[kind]
        self._process = RunningProcess(kind, *prepare(program, ports), self.folder)
        wait_for_http(f"{self.url}/healthz")

    def log(self) -> str:
        """What it wrote."""
        return self._process.log()

    def stop(self) -> None:
        """End it and delete its folder."""
        self._process.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _nginx(self, program: str, ports: Sequence[int]) -> tuple[list[str], dict[str, str]]:
        servers = "".join(f"server {LOOPBACK}:{port} max_fails=0;\n" for port in ports)
        shutil.copytree(NGINX_FOLDER / "holdfast", self.folder / "holdfast")
        (self.folder / "holdfast" / "servers.conf").write_text(servers)
        (self.folder / "holdfast" / "listen.conf").write_text(f"listen {LOOPBACK}:{self._port};\n")
        return nginx_command(program, self.folder), dict(os.environ)

    def _caddy(self, program: str, ports: Sequence[int]) -> tuple[list[str], dict[str, str]]:
        servers = " ".join(f"{LOOPBACK}:{port}" for port in ports)
        return (
            [program, "run", "--config", str(CADDYFILE), "--adapter", "caddyfile"],
            caddy_environment(self.folder, self.url, servers),
        )


def nginx_command(program: str, folder: Path, *options: str) -> list[str]:
    """The command that runs nginx with `folder/holdfast`; writes the nginx.conf around it."""
    (folder / "nginx.conf").write_text(NGINX_MAIN.format(folder=folder))
    return [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), *options]


def caddy_environment(folder: Path, site: str, servers: str) -> dict[str, str]:
    """The variables of the shipped Caddyfile; Caddy keeps its own files in the folder."""
    own = {name: str(folder) for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
    return {**os.environ, **own, "HOLDFAST_SITE": site, "HOLDFAST_WEB": servers}


def nginx_says(program: str) -> tuple[int, str]:
    """Exit code and words of `nginx -t` with the shipped files as they are."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(NGINX_FOLDER / "holdfast", folder / "holdfast")
        done = subprocess.run(
            nginx_command(program, folder, "-t"), check=False, capture_output=True, text=True
        )
    return done.returncode, done.stderr
