"""What all web processes share about signed-in browsers: the key of cookies, and which ones ended.

Times are those of the web processes, which also made the cookies.
"""

import secrets
import time
from typing import Any, Final

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from shared.db.models import InstallationSecretRow, SignedOutRow
from shared.db.upserts import Upsert

COOKIE_KEY: Final = "cookie_key"
MOST_LISTED: Final = 100_000


def _if_new(row: type[Any]) -> Upsert:
    return Upsert(lambda insert: insert(row).on_conflict_do_nothing())


_NEW_SECRET: Final = _if_new(InstallationSecretRow)
_NEW_END: Final = _if_new(SignedOutRow)


def cookie_key(tx: Session) -> str:
    """Return the key that this installation signs cookies with, made at the first call."""
    wanted = select(InstallationSecretRow.value).where(InstallationSecretRow.name == COOKIE_KEY)
    found = tx.scalar(wanted)
    if found is not None:
        return found
    made = {"name": COOKIE_KEY, "value": secrets.token_hex(32), "created_at": time.time()}
    tx.execute(_NEW_SECRET.on(tx), made)
    return tx.scalars(wanted).one()


def sign_out(tx: Session, cookie: str, until: float) -> None:
    """Remember that the cookie of this id has ended; forget those that would have by now."""
    tx.execute(delete(SignedOutRow).where(SignedOutRow.until < time.time()))
    tx.execute(_NEW_END.on(tx), {"id": cookie, "until": until})


def is_signed_out(tx: Session, cookie: str) -> bool:
    """Whether the cookie of this id was signed out."""
    return tx.get(SignedOutRow, cookie) is not None


def signed_out(tx: Session) -> dict[str, float]:
    """Return the ids of the cookies that were signed out, and when each would have ended; of very
    many those that would have lived longest."""
    listed = select(SignedOutRow.id, SignedOutRow.until).order_by(SignedOutRow.until.desc())
    return {row.id: row.until for row in tx.execute(listed.limit(MOST_LISTED))}
