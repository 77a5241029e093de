"""`holdfast move-database`: copies the SQLite database into a PostgreSQL one."""

from sqlalchemy.exc import DBAPIError

from deploy.errors import DeployError
from shared import addresses
from shared.db.migrate import is_current, upgrade
from shared.db.move import NotEmpty, move
from shared.db.sqlite_url import is_sqlite
from shared.probes.reading import processes
from shared.settings import Settings


def move_database(settings: Settings, to: str) -> None:
    """Copy everything, print how far it is, and say what to do then. Raises DeployError."""
    try:
        target = addresses.database_url(to)
    except ValueError as error:
        raise DeployError(f"--to: {error}") from error
    if not is_sqlite(settings.database_url) or is_sqlite(target):
        raise DeployError("it goes from SQLite (DATABASE_URL) to PostgreSQL (--to) only")
    running = processes(settings.home)
    if running:
        roles = ", ".join(f"{one.role} {one.pid}" for one in running)
        raise DeployError(f"stop all roles first, on every machine; still running here: {roles}")
    shown = addresses.shown_database(target)
    try:
        if not is_current(settings.database_url):
            raise DeployError("the database is of another version; run `holdfast migrate` first")
        upgrade(target)
        rows = move(settings.database_url, target, _print)
    except NotEmpty as error:
        raise DeployError(f"{shown} is not empty; choose an empty database") from error
    except DBAPIError as error:
        reason = " ".join(str(error.orig).split())
        raise DeployError(f"not finished: {reason}; the same command goes on from here") from error
    print(f"{rows} rows are in {shown}; set DATABASE_URL to it, and start the roles")
    print("searches find everything again after some minutes; the old file stays as it is")


def _print(table: str, copied: int, every: int) -> None:
    if copied == every or copied % 10_000 < 500:
        print(f"{table}: {copied} of {every}", flush=True)
