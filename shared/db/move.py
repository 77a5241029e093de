"""Copies an SQLite database into an empty PostgreSQL one, in steps that can be gone on with.

Problem: a large database takes a while, and a copy that broke off half way must neither begin anew
nor be taken for a whole one. Idea: each batch is one transaction of the target, which also writes
down how far the copy is; the row that says so is deleted with the end. While it copies, it holds
the one write lock of SQLite, so nothing changes meanwhile; if something changed between two tries,
the copy begins anew.
Invariant: a target without that row is empty, or whole.

Terms of searches are not copied: the databases keep them in different forms, and maintenance makes
them again.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from sqlalchemy import (
    Connection,
    Engine,
    Table,
    create_engine,
    delete,
    func,
    insert,
    select,
    text,
    tuple_,
    update,
)

from shared.db.models import (
    Base,
    InstallationSecretRow,
    MessageRow,
    MessageTermsRow,
    RunRow,
    SessionRow,
    TitleTermsRow,
)
from shared.db.pooler import CONNECT, UNPREPARED
from shared.db.without_data import HIDE

ROWS: Final = 500  # of a batch at most
BYTES: Final = 4_000_000  # of text in a batch, about
MARK: Final = "move_progress"  # name of the row that says how far a copy is

_SECRETS: Final = Base.metadata.tables[InstallationSecretRow.__tablename__]
_TERMS: Final = {MessageTermsRow.__tablename__, TitleTermsRow.__tablename__}
_MADE_AGAIN: Final = {"indexed_by": None, "title_indexed_by": None}  # by maintenance
TABLES: Final = [table for table in Base.metadata.sorted_tables if table.name not in _TERMS]

Progress = Callable[[str, int, int], None]


class NotEmpty(Exception):
    """The target has rows that are of no unfinished copy."""


def move(source_url: str, target_url: str, progress: Progress) -> int:
    """Copy everything; both schemas are those of this version. Return how many rows the target has.

    `progress(table, rows, all)` is called after each batch. Raises NotEmpty, and DBAPIError.
    """
    source_engine = create_engine(source_url, **HIDE)
    target_engine = create_engine(target_url, connect_args={**CONNECT, **UNPREPARED}, **HIDE)
    try:
        with source_engine.connect() as source:
            source.exec_driver_sql("BEGIN IMMEDIATE")
            _Copy(source, target_engine, progress).run()
            return sum(_count(source, table) for table in TABLES)
    finally:
        source_engine.dispose()
        target_engine.dispose()


class _Copy:
    def __init__(self, source: Connection, target: Engine, progress: Progress) -> None:
        self._source = source
        self._target = target
        self._progress = progress
        self._print = _fingerprint(source)
        self._done: dict[str, Any] = {}

    def run(self) -> None:
        self._begin()
        for table in TABLES:
            self._copy(table)
        with self._target.begin() as tx:
            _set_sequences(tx)
            tx.execute(delete(_SECRETS).where(_SECRETS.c.name == MARK))

    def _begin(self) -> None:
        """Find out where an earlier copy stands, or mark the target as one that is not whole."""
        with self._target.begin() as tx:
            mark = tx.scalar(select(_SECRETS.c.value).where(_SECRETS.c.name == MARK))
            if mark is None and any(_count(tx, table) for table in TABLES):
                raise NotEmpty
            found = json.loads(mark) if mark else {}
            if found.get("of") == self._print:
                self._done = found["done"]
                return
            for table in reversed(Base.metadata.sorted_tables):
                tx.execute(delete(table))
            tx.execute(
                insert(_SECRETS).values(name=MARK, value=self._mark(), created_at=time.time())
            )

    def _copy(self, table: Table) -> None:
        keys = list(table.primary_key.columns)
        every = _count(self._source, table)
        copied, after = self._done.get(table.name, (0, None))
        rows = select(table).order_by(*keys)
        if after is not None:
            rows = rows.where(tuple_(*keys) > tuple_(*after))
        result = self._source.execution_options(yield_per=50).execute(rows)
        for batch in _batches(result.mappings()):
            copied += len(batch)
            self._done[table.name] = (copied, [batch[-1][key.name] for key in keys])
            with self._target.begin() as tx:
                tx.execute(insert(table), batch)
                tx.execute(
                    update(_SECRETS).where(_SECRETS.c.name == MARK).values(value=self._mark())
                )
            self._progress(table.name, copied, every)

    def _mark(self) -> str:
        return json.dumps({"of": self._print, "done": self._done})


def _batches(rows: Any) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    size = 0
    for row in rows:
        values = {name: _MADE_AGAIN.get(name, value) for name, value in row.items()}
        batch.append(values)
        size += sum(len(value) for value in values.values() if isinstance(value, str))
        if len(batch) >= ROWS or size >= BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _count(tx: Connection, table: Table) -> int:
    rows = select(func.count()).select_from(table)
    if table is _SECRETS:
        rows = rows.where(_SECRETS.c.name != MARK)
    return tx.scalar(rows) or 0


def _fingerprint(source: Connection) -> str:
    """What differs once the source was used in between."""
    seen = [_count(source, table) for table in TABLES]
    seen += source.execute(
        select(
            func.max(SessionRow.last_active),
            func.sum(SessionRow.next_turn),
            select(func.max(MessageRow.id)).scalar_subquery(),
            select(func.sum(RunRow.fence)).scalar_subquery(),
            select(func.count()).where(RunRow.ended_at.is_not(None)).scalar_subquery(),
        )
    ).one()
    return hashlib.sha256(repr(seen).encode()).hexdigest()


def _set_sequences(tx: Connection) -> None:
    """The next number that the target gives is above those that were copied."""
    for table in TABLES:
        column = table.autoincrement_column
        if column is None:
            continue
        name = tx.scalar(
            text("SELECT pg_get_serial_sequence(:table, :column)"),
            {"table": table.name, "column": column.name},
        )
        highest = tx.scalar(select(func.max(column)))
        if name is not None and highest is not None:
            tx.execute(text("SELECT setval(:name, :highest)"), {"name": name, "highest": highest})
