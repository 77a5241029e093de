"""What web processes share about browsers, on both databases: the key of cookies, the sign-outs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select

from shared.db import sign_ins
from shared.db.database import Database
from shared.db.migrate import upgrade
from shared.db.models import SignedOutRow
from shared.errors import DatabaseUnavailable
from web.access.cookies import CookieKey
from web.access.signed_out import SignedOut


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    upgrade(database_url)
    found = Database(database_url)
    yield found
    found.close()


def test_the_key_is_made_once_however_many_ask_at_once(db: Database, database_url: str) -> None:
    others = [Database(database_url) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        keys = set(pool.map(lambda one: CookieKey("", one).get(), others))
    for one in others:
        one.close()
    assert keys == {db.write(sign_ins.cookie_key)}
    assert len(keys.pop()) == 64


def test_a_key_that_was_given_needs_no_database() -> None:
    assert CookieKey("k" * 32, None).get() == "k" * 32  # type: ignore[arg-type]


def test_a_sign_out_counts_in_every_process_at_once(db: Database, database_url: str) -> None:
    here, elsewhere = SignedOut(db), SignedOut(Database(database_url))
    assert not elsewhere.asks("c")
    here.add("c", time.time() + 100)
    here.add("c", time.time() + 100)
    assert here.has("c")
    assert elsewhere.asks("c")
    assert not elsewhere.asks("other")
    assert not elsewhere.has("c")
    elsewhere.renew()
    assert elsewhere.has("c")
    elsewhere._db.close()


def test_ends_that_have_come_by_themselves_are_forgotten(db: Database) -> None:
    ends = SignedOut(db)
    ends.add("old", time.time() - 1)
    ends.add("new", time.time() + 100)
    assert db.read(lambda tx: tx.scalar(select(func.count()).select_from(SignedOutRow))) == 1
    ends.renew()
    assert (ends.has("old"), ends.has("new")) == (False, True)


class Away(Database):
    """Does not answer while `away`."""

    away = False

    def _retrying(self, engine: object, work: object) -> object:  # type: ignore[override]
        if self.away:
            raise DatabaseUnavailable
        return super()._retrying(engine, work)  # type: ignore[arg-type]


def test_without_the_database_what_is_known_counts(db: Database, database_url: str) -> None:
    away = Away(database_url)
    ends = SignedOut(away)
    SignedOut(db).add("c", time.time() + 100)
    ends.renew()
    away.away = True
    ends.renew()
    assert ends.asks("c")
    assert not ends.asks("other")
    with pytest.raises(DatabaseUnavailable):
        ends.add("here", time.time() + 100)
    assert ends.asks("here")
    away.away = False
    assert not SignedOut(db).asks("here")
    ends.renew()
    assert SignedOut(db).asks("here")
    assert ends.has("c")
    away.close()
