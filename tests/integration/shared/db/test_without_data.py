"""What a log shows of an unexpected database error: no data of users (CASES A13)."""

import traceback
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import insert, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from shared.db.database import Database
from shared.db.models import MessageRow
from shared.errors import DatabaseUnavailable

SECRET = "my-password-is-swordfish"


def not_null(tx: Session) -> None:
    tx.execute(insert(MessageRow).values(owner="o", session_id="s", content=SECRET))


def duplicate(tx: Session) -> None:
    tx.execute(text("CREATE TABLE once (word TEXT PRIMARY KEY)"))
    for _ in range(2):
        tx.execute(text("INSERT INTO once VALUES (:word)"), {"word": SECRET})


def mistyped(tx: Session) -> None:
    tx.execute(text("SELECT CAST(CAST(:word AS TEXT) AS INTEGER) FROM nowhere"), {"word": SECRET})


def wrong_value(tx: Session) -> None:
    """An error of the server on PostgreSQL, of the driver on SQLite."""
    value: Any = SECRET if tx.get_bind().dialect.name == "postgresql" else [SECRET]
    tx.execute(text("SELECT CAST(CAST(:word AS TEXT) AS INTEGER)"), {"word": value})


def no_unicode(tx: Session) -> None:
    tx.execute(text("SELECT CAST(:word AS TEXT)"), {"word": f"{SECRET}\ud83d"})


@pytest.mark.parametrize("work", [not_null, duplicate, mistyped, wrong_value, no_unicode])
@pytest.mark.parametrize("unit", ["write", "read", "single"])
def test_an_unexpected_error_shows_no_data(
    db: Database, unit: str, work: Callable[[Session], None]
) -> None:
    with pytest.raises((DBAPIError, DatabaseUnavailable, UnicodeError)) as caught:
        getattr(db, unit)(work)
    shown = "".join(traceback.format_exception(caught.value)) + str(caught.value)
    assert "swordfish" not in shown


def test_an_error_names_what_it_is_about(db: Database) -> None:
    with pytest.raises((DBAPIError, DatabaseUnavailable)) as caught:
        db.write(duplicate)
    assert "once" in str(caught.value)
