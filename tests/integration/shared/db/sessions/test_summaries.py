"""Stored summaries and the record of compressions, on both databases (R23, P22)."""

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.conversation.compression_plan import (
    LastCompression,
    Plan,
    Snapshot,
    content_hash,
    decide,
)
from shared.db.database import Database
from shared.db.models import DeletionRow, MessageRow
from shared.db.runs import claim as claims
from shared.db.runs import ownership
from shared.db.runs.claim import Claim
from shared.db.runs.complete import Closing, close
from shared.db.sessions import compressions, summaries
from shared.db.sessions.compressions import Result
from shared.errors import OwnershipLost
from shared.protocol.run_states import RunState
from tests.support.rows import OWNER, add_run, add_session, run_row


@pytest.fixture
def claim(db: Database) -> Claim:
    """A run in a session's first turn."""
    add_session(db, "s")
    return taken(db, add_run(db, "s"))


def taken(db: Database, run_id: str) -> Claim:
    answer = db.write(lambda tx: claims.claim(tx, run_id, "w", 30.0))
    assert isinstance(answer, Claim)
    return answer


def overtaken(db: Database, claim: Claim) -> None:
    """Another worker has the run now."""
    db.write(lambda tx: ownership.release(tx, claim, 0))
    taken(db, claim.run_id)


def put(
    db: Database, claim: Claim, summary: str, *, replaces: int | None, turn_no: int = 1
) -> bool:
    snapshot = Snapshot(summary, turn_no, "h" * 64)
    return db.write(
        lambda tx: summaries.store(tx, claim, snapshot, replaces=replaces, tokens=50, covered=2)
    )


def stored(db: Database) -> tuple[str, int] | None:
    found = db.read(lambda tx: summaries.load(tx, OWNER, "s"))
    return (found.snapshot.summary, found.version) if found else None


def test_a_snapshot_is_replaced_only_by_who_has_seen_it(db: Database, claim: Claim) -> None:
    assert put(db, claim, "one", replaces=None)
    assert not put(db, claim, "another one", replaces=None)
    assert put(db, claim, "two", replaces=1)
    assert not put(db, claim, "another two", replaces=1)
    assert stored(db) == ("two", 2)


def test_a_snapshot_that_was_dropped_meanwhile_is_not_replaced(db: Database, claim: Claim) -> None:
    assert put(db, claim, "one", replaces=None)
    db.write(lambda tx: summaries.drop(tx, claim, 1))
    assert not put(db, claim, "two", replaces=1)
    assert stored(db) is None


def test_dropping_an_older_version_does_nothing(db: Database, claim: Claim) -> None:
    put(db, claim, "one", replaces=None)
    put(db, claim, "two", replaces=1)
    db.write(lambda tx: summaries.drop(tx, claim, 1))
    assert stored(db) == ("two", 2)


def test_an_owner_that_lost_the_run_neither_stores_nor_drops(db: Database, claim: Claim) -> None:
    put(db, claim, "one", replaces=None)
    overtaken(db, claim)
    with pytest.raises(OwnershipLost):
        put(db, claim, "late", replaces=1)
    with pytest.raises(OwnershipLost):
        db.write(lambda tx: summaries.drop(tx, claim, 1))
    assert stored(db) == ("one", 1)


@pytest.mark.parametrize(("last_turn", "remaining"), [(1, None), (0, ("one", 1))])
def test_closing_a_turn_that_a_snapshot_covers_drops_it(
    db: Database, claim: Claim, last_turn: int, remaining: tuple[str, int] | None
) -> None:
    put(db, claim, "one", replaces=None, turn_no=last_turn)
    closing = Closing(RunState.COMPLETED, "run.completed", {}, last_seq=1)
    db.write(lambda tx: close(tx, claim, closing))
    assert stored(db) == remaining


def test_tokens_count_from_the_snapshot_on(db: Database, claim: Claim) -> None:
    def work(tx: Session) -> None:
        for turn, idx, role, tokens in [
            (1, 1, "assistant", 10),
            (2, 0, "user", 100),
            (2, 1, "tool", 1_000),
            (2, 2, "assistant", 10_000),
            (2, 3, "system", 100_000),
            (None, 0, "user", 1_000_000),
        ]:
            place = {"owner": OWNER, "session_id": "s", "turn_no": turn, "idx": idx}
            tx.add(MessageRow(**place, role=role, token_count=tokens, timestamp=1.0))

    db.write(work)
    assert db.read(lambda tx: summaries.context_tokens(tx, OWNER, "s")) == (
        11_111,
        10_010,
    )
    put(db, claim, "one", replaces=None, turn_no=1)
    assert db.read(lambda tx: summaries.context_tokens(tx, OWNER, "s")) == (
        11_150,
        10_000,
    )


# --- the record of compressions -----------------------------------------------------------------


def plan() -> Plan:
    rows = [
        {"role": "user", "content": "x", "turn_no": n, "token_count": 100} for n in range(1, 41)
    ]
    found = decide(rows, None, context_length=4_000)
    assert found.compresses
    assert content_hash(found.head)
    return found


def began(db: Database, claim: Claim, name: str) -> compressions.Begun:
    return db.write(lambda tx: compressions.begin(tx, claim, plan(), name))


def ended(db: Database, claim: Claim, *results: Result, after: int = 10) -> None:
    for number, result in enumerate(results):
        begun = began(db, claim, f"compress_{number}_{result}_{after}")
        end_of(db, begun.id, result, after)


def end_of(db: Database, compression_id: int, result: Result, after: int) -> None:
    db.write(
        lambda tx: compressions.end(tx, compression_id, result, duration=1.0, after_tokens=after)
    )


def last(db: Database) -> LastCompression | None:
    return db.read(lambda tx: compressions.last(tx, OWNER, "s"))


def test_a_compression_queues_the_deletion_of_its_gateway_session_before_it_asks(
    db: Database, claim: Claim
) -> None:
    began(db, claim, "compress_a")
    rows = db.read(lambda tx: tx.scalars(select(DeletionRow.session_id)).all())
    assert rows == ["compress_a"]


def test_what_a_dead_owner_left_open_is_ended_and_its_gateway_run_named(
    db: Database, claim: Claim
) -> None:
    first = began(db, claim, "compress_a")
    db.write(lambda tx: compressions.posted(tx, first.id, "run_of_gateway"))
    assert began(db, claim, "compress_b").orphans == ["run_of_gateway"]
    assert began(db, claim, "compress_c").orphans == []


def test_the_first_result_of_a_compression_counts(db: Database, claim: Claim) -> None:
    ended(db, claim, Result.COMPRESSED)
    found = last(db)
    assert found is not None
    end_of(db, 1, Result.FAILED, after=20)
    assert last(db) == found


def test_failures_in_a_row_are_counted_and_stops_are_not(db: Database, claim: Claim) -> None:
    assert last(db) is None
    ended(db, claim, Result.STOPPED, Result.LOST)
    assert last(db) is None
    ended(db, claim, Result.FAILED, Result.COMPRESSED, after=20)
    found = last(db)
    assert found is not None
    assert (found.succeeded, found.failures, found.after_tokens) == (True, 0, 20)
    ended(db, claim, Result.FAILED, Result.STOPPED, Result.FAILED, after=30)
    found = last(db)
    assert found is not None
    assert (found.succeeded, found.failures) == (False, 2)
    assert abs(found.at - (run_row(db, claim.run_id).first_claimed_at or 0)) < 60


def test_an_owner_that_lost_the_run_cannot_begin(db: Database, claim: Claim) -> None:
    overtaken(db, claim)
    with pytest.raises(OwnershipLost):
        began(db, claim, "compress_a")
