"""Which cookies were signed out, by any web process.

The database has the list, and is asked for each cookie that comes. A copy of it in memory, renewed
now and then, serves for sockets that are open, and while the database does not answer: people then
stay signed in, since live runs go on as well (R13).
"""

import logging

from sqlalchemy.exc import DBAPIError

from shared.db import sign_ins
from shared.db.database import Database
from shared.errors import DatabaseUnavailable

log = logging.getLogger(__name__)


class SignedOut:
    """All methods may be called by any thread."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._known: dict[str, float] = {}  # the copy
        self._unsaved: dict[str, float] = {}  # the database did not answer

    def add(self, cookie: str, until: float) -> None:
        """End a cookie. Raises DatabaseUnavailable: then it has ended in this process, and in all
        others once the database is back."""
        self._unsaved[cookie] = until
        self._save(cookie, until)

    def asks(self, cookie: str) -> bool:
        """Whether the cookie was signed out, as the database says now, if it answers."""
        if self.has(cookie):
            return True
        try:
            return self._db.single(lambda tx: sign_ins.is_signed_out(tx, cookie))
        except DatabaseUnavailable:
            return False

    def has(self, cookie: str) -> bool:
        """Whether it was, as of the last renewal of the copy."""
        return cookie in self._known or cookie in self._unsaved

    def renew(self) -> None:
        """Read the list again. While the database does not answer, the copy stays."""
        try:
            for cookie, until in list(self._unsaved.items()):
                self._save(cookie, until)
            self._known = self._db.single(sign_ins.signed_out)
        except (DatabaseUnavailable, DBAPIError) as error:
            log.warning("signed_out.not_read error=%s", type(error).__name__)

    def _save(self, cookie: str, until: float) -> None:
        self._db.write(lambda tx: sign_ins.sign_out(tx, cookie, until))
        self._known[cookie] = until
        self._unsaved.pop(cookie, None)
