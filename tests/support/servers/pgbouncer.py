"""A throw-away PgBouncer in transaction mode, in front of a PostgreSQL of the tests."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from deploy.local.ports import LOOPBACK, free_port
from tests.support.servers.postgres import unprivileged_account
from tests.support.servers.processes import wait_until

CONFIGURATION = """\
[databases]
* = host={host} port={port} user={user}
[pgbouncer]
listen_addr = {listen}
listen_port = {own_port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {connections}
server_round_robin = 1
server_login_retry = 1
"""


def find_pgbouncer() -> str | None:
    """Its program, or None. Debian has it where only administrators' PATH leads."""
    return shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")


class PgBouncer:
    """A running pooler, in a folder of its own; each database has a few server connections."""

    def __init__(self, program: str, database_url: str, *, connections: int = 4) -> None:
        """Start it in front of the server of `database_url`, and wait until it answers."""
        self._target = make_url(database_url)
        self._directory = Path(tempfile.mkdtemp(prefix="holdfast-pgbouncer-"))
        self._port = free_port()
        configuration = self._directory / "pgbouncer.ini"
        configuration.write_text(
            CONFIGURATION.format(
                host=self._target.host,
                port=self._target.port,
                listen=LOOPBACK,
                own_port=self._port,
                connections=connections,
                user=self._target.username,
            )
        )
        self._directory.chmod(0o755)
        configuration.chmod(0o644)  # whatever the umask is: it runs under another account
        self._command = [program, str(configuration)]
        self.restart()

    def restart(self) -> None:
        """Start it; an earlier one has ended. Returns when it answers."""
        with (self._directory / "pgbouncer.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **unprivileged_account(),
            )
        wait_until(self._answers, within=20, what="PgBouncer answers")

    @property
    def url(self) -> str:
        """The address of the database, through the pooler."""
        through = self._target.set(host=LOOPBACK, port=self._port)
        return through.render_as_string(hide_password=False)

    def kill(self) -> None:
        """End it at once, with all connections."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """End it at once and delete its folder."""
        self.kill()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _answers(self) -> bool:
        if self._process.poll() is not None:
            raise AssertionError((self._directory / "pgbouncer.log").read_text())
        try:
            psycopg.connect(self.url.replace("+psycopg", ""), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True
