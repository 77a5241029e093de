"""`holdfast migrate`: creates the database, or updates its schema to this version."""

from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError

from deploy.errors import DeployError
from shared.addresses import shown_database
from shared.db.migrate import upgrade
from shared.settings import Settings


def migrate(settings: Settings) -> None:
    """Migrate the database of the settings. Raises DeployError, which says what is in the way."""
    try:
        upgrade(settings.database_url)
    except DBAPIError as error:
        raise DeployError(f"{_shown(settings)}: {_reason(error)}") from error
    except CommandError as error:  # a schema of a later version
        raise DeployError(f"{_shown(settings)}: {error}; is Holdfast up to date?") from error


def _shown(settings: Settings) -> str:
    return f"the database {shown_database(settings.database_url)} cannot be used"


def _reason(error: DBAPIError) -> str:
    lines = str(error.orig).strip().splitlines()
    return "; ".join(line.strip() for line in lines) or type(error.orig).__name__
