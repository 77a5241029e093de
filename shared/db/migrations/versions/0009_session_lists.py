"""sessions: pinned, archived, copied from; a list by activity; terms to search titles and messages

The terms of rows that exist, and of those that processes of the version before write, are added in
the background (`worker/maintenance/search_index.py`); until then a search does not find them.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TSVECTOR

revision = "0009"
down_revision = "0008"

PENDING = 16_384  # KB

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TERMS = sa.Text().with_variant(TSVECTOR(), "postgresql")
_UNTITLED = sa.text("title_indexed_by IS NULL AND title <> ''")
_UNINDEXED = sa.text("indexed_by IS NULL")
_TABLES = (("message_terms", "message_fts", "message_id"), ("title_terms", "title_fts", "id"))


def upgrade() -> None:
    _add_columns()
    _make_tables()
    for table, index, key in _TABLES:
        if op.get_bind().dialect.name == "sqlite":
            _index_on_sqlite(table, index, key)
        else:
            _index_on_postgresql(table)


def _add_columns() -> None:
    for name in ("pinned", "archived"):
        op.add_column(
            "sessions", sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false())
        )
    op.add_column("sessions", sa.Column("parent_session_id", sa.String(255), nullable=True))
    op.add_column("sessions", sa.Column("title_indexed_by", sa.Integer(), nullable=True))
    op.add_column("messages", sa.Column("indexed_by", sa.Integer(), nullable=True))
    by_activity = ["owner", "pinned", "last_active", "id", "archived"]
    op.create_index("sessions_by_activity", "sessions", by_activity)
    _partial("sessions_unindexed", "sessions", ["owner"], _UNTITLED)
    _partial("messages_unindexed", "messages", ["id"], _UNINDEXED)


def _partial(name: str, table: str, columns: list[str], where: sa.TextClause) -> None:
    op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)


def _make_tables() -> None:
    op.create_table(
        "message_terms",
        sa.Column(
            "message_id",
            _ID,
            sa.ForeignKey("messages.id", ondelete="CASCADE"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("owner", sa.String(255), nullable=False),
        sa.Column("session_id", sa.String(255), nullable=False),
        sa.Column("terms", _TERMS, nullable=False),
    )
    op.create_table(
        "title_terms",
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        sa.Column("owner", sa.String(255), nullable=False),
        sa.Column("session_id", sa.String(255), nullable=False),
        sa.Column("terms", _TERMS, nullable=False),
        sa.ForeignKeyConstraint(
            ["owner", "session_id"], ["sessions.owner", "sessions.id"], ondelete="CASCADE"
        ),
    )
    op.create_index("title_terms_of_session", "title_terms", ["owner", "session_id"], unique=True)


def _index_on_sqlite(table: str, index: str, key: str) -> None:
    """The text stays in `table`, from where FTS5 reads it when a row goes. The terms are ready:
    the tokenizer `ascii` only separates at spaces, since it leaves other characters as they are."""
    op.execute(
        f"CREATE VIRTUAL TABLE {index} USING fts5(terms, content='{table}', content_rowid='{key}', "
        "tokenize='ascii', detail=none, columnsize=0)"
    )
    added = f"INSERT INTO {index}(rowid, terms) VALUES (new.{key}, new.terms)"  # noqa: S608
    columns, values = f"{index}, rowid, terms", f"'delete', old.{key}, old.terms"
    removed = f"INSERT INTO {index}({columns}) VALUES ({values})"  # noqa: S608
    for when, what in (("INSERT", added), ("DELETE", removed)):
        name = f"{index}_after_{when.lower()}"
        op.execute(f"CREATE TRIGGER {name} AFTER {when} ON {table} BEGIN {what}; END")


def _index_on_postgresql(table: str) -> None:
    """The terms lie outside of the rows, so that reading rows which were found is reading little.
    New terms are only noted in a list that the background job empties; it is that long so that
    hardly ever the end of a run has to do it."""
    op.execute(f"ALTER TABLE {table} ALTER COLUMN terms SET STORAGE EXTERNAL")
    op.execute(f"ALTER TABLE {table} SET (toast_tuple_target = 128)")
    op.execute(
        f"CREATE INDEX {table}_gin ON {table} USING gin (terms) "
        f"WITH (gin_pending_list_limit = {PENDING})"
    )


def downgrade() -> None:
    for table, index, _ in _TABLES:
        if op.get_bind().dialect.name == "sqlite":
            op.execute(f"DROP TABLE {index}")
        op.drop_table(table)
    op.drop_index("messages_unindexed", "messages")
    op.drop_index("sessions_unindexed", "sessions")
    op.drop_index("sessions_by_activity", "sessions")
    with op.batch_alter_table("messages", schema=None) as batch_op:
        batch_op.drop_column("indexed_by")
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        for name in ("title_indexed_by", "parent_session_id", "archived", "pinned"):
            batch_op.drop_column(name)
