"""INSERT … ON CONFLICT, which SQLAlchemy has once for each dialect."""

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session


class Upsert:
    """A statement that is built once for either dialect, by `build(insert)`."""

    def __init__(self, build: Callable[[Any], Any]) -> None:
        self._built: Final = {
            "postgresql": build(postgresql.insert),
            "sqlite": build(sqlite.insert),
        }

    def on(self, tx: Session) -> Any:
        """The statement for the session's database."""
        return self._built[tx.get_bind().dialect.name]
