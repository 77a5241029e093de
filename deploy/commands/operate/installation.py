"""The database, Redis and queues of the configured installation, for the time of one command."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from sqlalchemy.exc import DBAPIError

from deploy.errors import DeployError
from deploy.local.embedded_redis import address_of
from deploy.local.home import Home
from shared.db.database import Database
from shared.delete_session import SessionDeleter
from shared.errors import DatabaseUnavailable, RedisUnavailable
from shared.event_log.clients import Commands, RedisError, command_client
from shared.event_log.store import EventLog
from shared.settings import Settings
from shared.task_queue import TaskQueue, celery_app


@dataclass(frozen=True)
class Installation:
    """What a command works on."""

    settings: Settings
    db: Database
    commands: Commands
    event_log: EventLog
    queue: TaskQueue

    @property
    def deleter(self) -> SessionDeleter:
        """What deletes sessions."""
        return SessionDeleter(self.db, self.event_log, self.commands, self.queue)


@contextmanager
def open_installation(settings: Settings) -> Iterator[Installation]:
    """Open it, and close it after the block. Raises DeployError, also for a database or Redis that
    does not answer in the block."""
    settings = with_redis(settings)
    with ExitStack() as stack, said_so():
        db = Database(settings.database_url)
        stack.callback(db.close)
        commands = command_client(settings.redis_url, connections=2)
        stack.callback(commands.close)
        app = celery_app(settings)
        stack.callback(app.close)
        try:
            commands.ping()
        except RedisError as error:
            raise RedisUnavailable from error
        logs = [command_client(url, connections=2) for url in settings.log_servers]
        event_log = EventLog(logs, settings.log_ttl, settings.installation)
        yield Installation(settings, db, commands, event_log, TaskQueue(app))


@contextmanager
def said_so() -> Iterator[None]:
    """Say in words which service does not answer. Raises DeployError."""
    try:
        yield
    except RedisUnavailable as error:
        raise DeployError("Redis does not answer") from error
    except (DatabaseUnavailable, DBAPIError) as error:
        raise DeployError(
            "the database does not answer, or its schema is out of date (`holdfast migrate`)"
        ) from error


def with_redis(settings: Settings) -> Settings:
    """Return the settings with the Redis of the running processes, which must be notified. Raises
    DeployError."""
    address = settings.redis_url or address_of(Home(settings.home).redis)
    if address is None:
        raise DeployError(
            "REDIS_URL is not set and no `holdfast up` has run here; start it, then try again"
        )
    return replace(settings, redis_url=address)
