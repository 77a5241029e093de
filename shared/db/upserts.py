"""INSERT … ON CONFLICT for both dialects; SQLAlchemy has one construct for each."""

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session


class Upsert:
    """A statement that `build(insert)` builds once for each dialect."""

    def __init__(self, build: Callable[[Any], Any]) -> None:
        self._built: Final = {
            "postgresql": build(postgresql.insert),
            "sqlite": build(sqlite.insert),
        }

    def on(self, tx: Session) -> Any:
        """Return the statement for the dialect of this transaction."""
        return self._built[tx.get_bind().dialect.name]
