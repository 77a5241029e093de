"""What was written is found, by its owner only, and nothing that is gone (both databases)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from alembic import command
from sqlalchemy import event, func, select, text, update
from sqlalchemy.orm import Session

from shared.db.database import Database
from shared.db.delete_session import remove
from shared.db.migrate import upgrade
from shared.db.models import MessageRow, MessageTermsRow, SessionRow, TitleTermsRow
from shared.db.runs.complete import replace_late
from shared.db.runs.stop import cancel
from shared.db.runs.terminal import mark_announced
from shared.db.search import find
from shared.db.search.index import index_some, lacks_terms, settle
from shared.db.sessions.import_session import Chat, Step, import_some
from shared.db.sessions.list_sessions import Filter, SessionPage, list_sessions
from shared.db.sessions.titles import set_title
from shared.errors import SearchTooBroad
from tests.integration.shared.db.test_migrations import migrate_to
from tests.support.rows import OWNER, add_run, add_session
from tests.support.turns import ask, end, say


def search(db: Database, query: str, *, owner: str = OWNER, **options: Any) -> SessionPage:
    return db.read(partial(list_sessions, owner=owner, query=query, **options))


def ids(db: Database, query: str, *, owner: str = OWNER) -> list[str]:
    return sorted(found.info["id"] for found in search(db, query, owner=owner).sessions)


def snippet(db: Database, query: str) -> str:
    """The snippet of the only session, with what was found in brackets."""
    (found,) = search(db, query).sessions
    assert found.match is not None
    assert found.match.snippet is not None
    shown = found.match.snippet.text
    for start, end_ in reversed(found.match.snippet.matches):
        shown = f"{shown[:start]}[{shown[start:end_]}]{shown[end_:]}"
    return shown


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("weather", "What is the [weather] like in 東京?"),
        ("東京", "What is the weather like in [東京]?"),
        ("grad", "Fünfzehn [Grad], 晴れ"),
        ("funfzehn", "[Fünfzehn] Grad, 晴れ"),
        ("晴", "Fünfzehn Grad, [晴]れ"),
    ],
)
def test_prompts_and_answers_are_found_in_any_script(db: Database, query: str, shown: str) -> None:
    say(db, "s", "What is the weather like in 東京?", "Fünfzehn Grad, 晴れ")
    say(db, "other", "한국어로 말해 줘", "天气预报")
    assert ids(db, query) == ["s"]
    assert snippet(db, query) == shown
    assert ids(db, "예보") == []
    assert ids(db, "국어") == ids(db, "气预") == ["other"]


def test_a_prompt_is_found_as_soon_as_it_is_accepted(db: Database) -> None:
    run_id = ask(db, "s", "needle")
    assert ids(db, "needle") == ["s"]
    waiting = ask(db, "s", "haystack")
    db.write(lambda tx: cancel(tx, OWNER, "s", waiting))
    db.write(lambda tx: mark_announced(tx, waiting))
    assert ids(db, "haystack") == []
    end(db, run_id)
    assert ids(db, "needle") == ["s"]


def test_a_late_transcript_replaces_what_is_found(db: Database) -> None:
    run_id = say(db, "s", "prompt", "streamed")
    late = [{"role": "assistant", "content": "transcript"}, {"role": "tool", "content": "result"}]
    db.write(lambda tx: replace_late(tx, run_id, late, None))
    assert ids(db, "streamed") == ids(db, "transcript") == []
    assert db.write(index_some) == 2
    assert ids(db, "transcript") == ids(db, "result") == ids(db, "prompt") == ["s"]


def test_the_end_of_a_run_does_not_wait_for_terms_of_its_answer(db: Database) -> None:
    run_id = ask(db, "s", "prompt")
    with recorded(db) as statements:
        end(db, run_id, {"role": "assistant", "content": "needle"})
    assert [one for one in statements if "_terms" in one or "_fts" in one] == []
    assert ids(db, "needle") == []
    assert db.read(lacks_terms)
    assert db.write(index_some) == 1
    assert not db.read(lacks_terms)
    assert ids(db, "needle") == ["s"]


@contextmanager
def recorded(db: Database) -> Iterator[list[str]]:
    """The statements that are executed within the block."""
    found: list[str] = []

    def note(_c: Any, _u: Any, statement: str, *_more: Any) -> None:
        found.append(statement)

    engines = {db._engine, db._read_engine}
    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", note)


def test_titles_are_found_by_their_present_words(db: Database) -> None:
    say(db, "s", "first words")
    add_session(db, "empty")
    say(db, "empty", "second words")
    db.write(lambda tx: set_title(tx, OWNER, "s", "Ein Gespräch über 天气"))
    assert ids(db, "gespräch") == ids(db, "天气") == ["s"]
    assert ids(db, "second") == ["empty"], "the title that it gets with its first message"
    (found,) = search(db, "gespräch").sessions
    assert (found.match.messages, found.match.snippet) == (0, None)  # type: ignore[union-attr]
    db.write(lambda tx: set_title(tx, OWNER, "s", None))
    assert ids(db, "gespräch") == []
    assert ids(db, "first") == ["s"], "the message still has it"


def test_imported_messages_are_found(db: Database) -> None:
    columns = {"profile": "default", "source": "cli", "title": "Old talk"}
    about = {**columns, "started_at": 1.0, "last_active": 1.0}
    message = {"turn_no": 1, "idx": 0, "role": "user", "content": "antique", "timestamp": 1.0}
    chat = Chat("old", about, [message], {})
    assert db.write(lambda tx: import_some(tx, OWNER, chat, "u")) is Step.DONE
    assert ids(db, "antique") == ids(db, "talk") == ["old"]


def test_nothing_of_a_deleted_session_is_left(db: Database) -> None:
    say(db, "s", "needle", "hay")
    db.write(lambda tx: remove(tx, OWNER, "s", force=True))
    assert ids(db, "needle") == []
    for table in (MessageTermsRow, TitleTermsRow):
        left = select(func.count()).select_from(table)
        assert db.read(partial(Session.scalar, statement=left)) == 0
    say(db, "s", "other", "words")  # SQLite gives its rows the numbers of the deleted ones
    assert ids(db, "needle") == ids(db, "hay") == []
    assert ids(db, "words") == ["s"]


def test_nobody_finds_what_is_of_another_owner(db: Database) -> None:
    say(db, "s", "needle of mine", owner="me")
    say(db, "s", "needle of yours", owner="you")
    assert search(db, "needle", owner="me").total == 1
    (found,) = search(db, "needle", owner="me").sessions
    assert found.match is not None
    assert found.match.snippet is not None
    assert found.match.snippet.text == "needle of mine"
    assert ids(db, "yours", owner="me") == ids(db, "needle", owner="nobody") == []


HOSTILE = [
    '"', "'", "\\", "\\'", "';--", '" OR "', "a' OR 'b", "needle'); DROP TABLE messages;--",
    "*", "%", "_", "needle*", "* needle", "(", ")", "NEAR(needle", "needle AND", "NOT needle",
    "-needle", "+needle", "^needle", "needle:*", "terms:needle", "needle & !", "{needle}:", "|",
    "\x00", "needle\x00", "\ud800", "\u202e", "needle" * 2_000, "a " * 5_000, "'" * 10_000,
    "\ue000", "\n", ":" * 10_000, "needle -- /*",
]  # fmt: skip


@pytest.mark.parametrize("query", HOSTILE)
def test_hostile_queries_are_plain_text(db: Database, query: str) -> None:
    say(db, "s", "a needle and a haystack")
    page = search(db, query)
    assert page.total in (0, 1)
    assert search(db, "needle").total == 1


def test_all_words_must_be_in_one_message_or_in_the_title(db: Database) -> None:
    say(db, "s", "one two", "three")
    assert ids(db, "two one") == ["s"]
    assert ids(db, "one three") == []


def test_the_newest_message_is_shown_and_all_are_counted(db: Database) -> None:
    say(db, "s", "needle 1", "needle 2")
    say(db, "s", "needle 3")
    say(db, "t", "needle 4")
    page = search(db, "needle")
    found = {one.info["id"]: one.match for one in page.sessions}
    assert found["s"] is not None
    assert found["s"].messages == 3
    assert found["s"].snippet is not None
    assert found["s"].snippet.text == "needle 3"
    assert [one.info["id"] for one in page.sessions] == ["t", "s"]


def test_pages_of_a_search_follow_each_other(db: Database) -> None:
    for number in range(5):
        say(db, f"s{number}", "needle")
    db.write(lambda tx: tx.execute(update(SessionRow).values(last_active=1.0)))
    seen, cursor = [], None
    for _ in range(3):
        page = search(db, "needle", limit=2, cursor=cursor)
        assert page.total == 5
        seen += [one.info["id"] for one in page.sessions]
        cursor = page.next_cursor
    assert (seen, cursor) == (["s4", "s3", "s2", "s1", "s0"], None)
    assert search(db, "needle", only=Filter(archived=True)).total == 0


def test_a_search_reads_a_bounded_number_of_the_newest_messages(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(find, "MOST_FOUND", 3)
    monkeypatch.setattr("shared.db.sessions.list_sessions.MOST_FOUND", 3)
    for number in range(5):
        say(db, f"s{number}", "needle", "hay")
    db.write(settle)
    page = search(db, "needle", only=Filter(archived=None))
    assert not page.is_complete
    shown = {one.info["id"] for one in page.sessions if one.match and one.match.messages}
    assert shown == {"s2", "s3", "s4"}
    assert search(db, "s4 nothing").is_complete


@pytest.mark.parametrize("steps", [(1, 2), (2, 4), (3, 100), (64_000, 512_000)])
def test_the_newest_messages_are_found_however_far_back_they_are(
    db: Database, monkeypatch: pytest.MonkeyPatch, steps: tuple[int, int]
) -> None:
    monkeypatch.setattr(find, "STEPS_BACK", steps)
    monkeypatch.setattr(find, "MOST_FOUND", 2)
    for number in range(4):
        say(db, f"s{number}", "often", "rare" if number == 0 else "other")

    def shown(query: str) -> list[str]:
        page = search(db, query)
        return [one.info["id"] for one in page.sessions if one.match and one.match.messages]

    assert shown("often") == ["s3", "s2"]
    assert shown("rare") == ["s0"]
    assert shown("none") == []


def test_a_search_that_takes_too_long_is_refused_and_harms_nothing(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(find, "WITHIN", 0.05)
    monkeypatch.setattr(find, "WITHIN_ON_SQLITE", 0.05)
    numbers = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < {}) "
    long = numbers.format(20_000_000) + "SELECT max(x) FROM n"

    def work(tx: Any) -> None:
        with find.bounded(tx):
            tx.execute(text(long))

    with pytest.raises(SearchTooBroad):
        db.read(work)
    say(db, "s", "needle")
    assert ids(db, "needle") == ["s"]
    slow = numbers.format(1_000_000) + "SELECT max(x) FROM n"
    assert db.read(lambda tx: tx.scalar(text(slow))) == 1_000_000, "others take as long as they do"


def test_rows_of_older_processes_are_found_later(db: Database) -> None:
    add_session(db, "s")
    add_run(db, "s", text="written without terms")
    db.write(lambda tx: tx.execute(update(SessionRow).values(title="Untold")))
    assert ids(db, "written") == ids(db, "untold") == []
    assert db.write(index_some) == 2
    assert db.write(index_some) == 0
    assert ids(db, "written") == ids(db, "untold") == ["s"]


def test_sessions_of_the_version_before_are_listed_at_once_and_found_soon(
    db: Database, database_url: str
) -> None:
    say(db, "s", "needle", "hay")
    migrate_to(database_url, command.downgrade, "0008")
    upgrade(database_url)
    (listed,) = db.read(partial(list_sessions, owner=OWNER)).sessions
    assert (listed.info["pinned"], listed.info["archived"]) == (False, False)
    assert ids(db, "needle") == []
    assert db.write(index_some) == 3
    assert ids(db, "needle") == ids(db, "hay") == ["s"]
    db.write(lambda tx: remove(tx, OWNER, "s", force=True))
    assert ids(db, "needle") == []


def test_a_row_that_is_indexed_twice_is_found_once(db: Database) -> None:
    say(db, "s", "needle")
    db.write(lambda tx: tx.execute(update(MessageRow).values(indexed_by=None)))
    db.write(lambda tx: tx.execute(update(SessionRow).values(title_indexed_by=None)))
    assert db.write(index_some) == 2
    (found,) = search(db, "needle").sessions
    assert found.match is not None
    assert found.match.messages == 1


def test_enormous_and_odd_messages_can_be_stored(db: Database) -> None:
    han = "".join(chr(0x20000 + number) for number in range(40_000))
    odd = [
        "",
        " ",
        "\u0300",
        "'\"\\:*&|!()",
        "x" * 300_000,
        han,
        "\u02bcn \u0149 \ufdfa \u0130",
        "\ue000 " * 100,
    ]
    say(db, "s", "\n", *odd)
    assert ids(db, "x" * 50) == ["s"]
    assert len(odd) + 1 == db.read(
        lambda tx: tx.scalar(select(func.count()).select_from(MessageRow))
    )


def test_no_table_is_scanned(db: Database) -> None:
    for number in range(3):
        say(db, f"s{number}", "needle", "hay")
    db.write(settle)
    plans: list[str] = []
    prefix = "EXPLAIN QUERY PLAN " if db.is_sqlite else "EXPLAIN "

    def explain(connection: Any, cursor: Any, statement: str, values: Any, *_: Any) -> None:
        if statement.lstrip().startswith(("SELECT sessions", "WITH found", "SELECT count")):
            cursor.execute(prefix + statement, values)
            plans.append("\n".join(str(row) for row in cursor.fetchall()))

    for engine in {db._engine, db._read_engine}:
        event.listen(engine, "before_cursor_execute", explain)
    db.write(lambda tx: tx.execute(text("ANALYZE")))
    search(db, "needle")
    if not db.is_sqlite:  # so few rows are read as a whole otherwise
        db.write(lambda tx: tx.execute(text("SET enable_seqscan = off")))
    for options in ({}, {"only": Filter(archived=True)}, {"only": Filter(pinned=True)}):
        db.read(partial(list_sessions, owner=OWNER, **options))  # type: ignore[arg-type]
    assert len(plans) >= 7
    for plan in plans:
        for table in ("sessions", "messages", "message_terms", "title_terms"):
            assert f"Seq Scan on {table} " not in plan, plan
            assert f"SCAN {table}'" not in plan, plan
    assert "message_fts VIRTUAL TABLE" in plans[0].replace("f VIRTUAL", "message_fts VIRTUAL") or (
        "message_terms_gin" in plans[0] or "message_terms_pkey" in plans[0]
    )
    assert "sessions_by_activity" in plans[1]
