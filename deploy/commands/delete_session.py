"""`holdfast delete-session`: stops the runs of a session and deletes all its data."""

from contextlib import ExitStack
from dataclasses import replace

from sqlalchemy.exc import DBAPIError

from deploy.errors import DeployError
from deploy.local.embedded_redis import address_of
from deploy.local.home import Home
from shared.db.database import Database
from shared.delete_session import SessionDeleter
from shared.errors import DatabaseUnavailable, NotFound, RedisUnavailable
from shared.event_log.clients import RedisError, command_client
from shared.event_log.store import EventLog
from shared.settings import Settings
from shared.task_queue import TaskQueue, celery_app

MARGIN = 5.0  # seconds beyond STOP_TIMEOUT for a worker to write the end


def delete_session(settings: Settings, owner: str, session_id: str) -> int:
    """Delete the session and print what was deleted. Raises DeployError."""
    settings = _with_redis(settings)
    within = settings.stop_timeout.total_seconds() + MARGIN
    with ExitStack() as stack:
        try:
            removed = _deleter(settings, stack).delete(owner, session_id, within=within)
        except NotFound:
            raise DeployError(f"{owner} has no session {session_id!r}") from None
        except RedisUnavailable as error:
            raise DeployError("Redis does not answer; nothing was deleted") from error
        except (DatabaseUnavailable, DBAPIError) as error:
            raise DeployError(
                "the database does not answer, or its schema is out of date (`holdfast migrate`); "
                "nothing was deleted"
            ) from error
    print(f"deleted {session_id}: {removed.messages} messages, {len(removed.run_ids)} runs")
    if removed.forced:
        print("its live run did not stop in time; the gateway will be asked again to stop it")
    return 0


def _with_redis(settings: Settings) -> Settings:
    """The settings with the Redis of the running processes, which must be notified."""
    address = settings.redis_url or address_of(Home(settings.home).redis)
    if address is None:
        raise DeployError(
            "REDIS_URL is not set and no `holdfast up` has run here; start it, then try again"
        )
    return replace(settings, redis_url=address)


def _deleter(settings: Settings, stack: ExitStack) -> SessionDeleter:
    """Build it; `stack` closes what it uses. Raises RedisUnavailable."""
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
    return SessionDeleter(
        db,
        EventLog(
            [command_client(url, connections=2) for url in settings.log_servers],
            settings.log_ttl,
            settings.installation,
        ),
        commands,
        TaskQueue(app),
    )
