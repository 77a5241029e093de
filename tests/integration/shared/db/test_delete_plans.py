"""The deletion of sessions finds their rows by indexes (both databases)."""

from typing import Any

from sqlalchemy import event, insert, text
from sqlalchemy.orm import Session

from shared.db.database import Database
from shared.db.delete_session import remove_idle
from shared.db.models import OrphanRow
from tests.support.rows import OWNER, add_run, add_session

ORPHANS = 3000  # done; at a gateway without transcripts each run has had one
RUNS = 40


def test_the_orphans_of_a_session_s_runs_are_found_by_their_run(db: Database) -> None:
    add_session(db, "old")
    for number in range(RUNS):
        session_id = "old" if number < 2 else None
        add_run(db, session_id, state="completed", ended_at=1.0, announced_at=1.0, queue_no=number)
    db.write(lambda tx: tx.execute(insert(OrphanRow), [orphan(n) for n in range(ORPHANS)]))
    if not db.is_sqlite:  # nothing here has SQLite make statistics
        db.write(lambda tx: tx.execute(text("ANALYZE")))
    (plan,) = db.write(plans)
    assert "chases_of_run" in plan, plan


def orphan(number: int) -> dict[str, Any]:
    done = {"created_at": 1.0, "next_at": 1.0, "done_at": 2.0}
    names = {"run_id": f"run_{number}", "profile": "default", "ephemeral_id": f"eph_{number}"}
    return {**names, **done, "kind": "sync"}


def plans(tx: Session) -> list[str]:
    """How the database finds the orphans that go with the session."""
    connection, seen = tx.connection(), []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("DELETE FROM chases"):
            seen.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", note)
    removed = remove_idle(tx, OWNER, ["old"])
    event.remove(connection, "before_cursor_execute", note)
    assert list(removed) == ["old"]
    word = "EXPLAIN QUERY PLAN " if connection.dialect.name == "sqlite" else "EXPLAIN "
    return [
        "\n".join(str(row[-1]) for row in connection.exec_driver_sql(word + statement, parameters))
        for statement, parameters in seen
    ]
