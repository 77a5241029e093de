"""Who gets a run, on both databases (R11, R12, R20, R23, R34)."""

import threading
import time
from collections.abc import Callable

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from shared.db.clock import read_clock
from shared.db.database import Database
from shared.db.locks import lock_session
from shared.db.migrate import is_current, upgrade
from shared.db.models import MessageRow, RunRow, SessionRow
from shared.db.runs import attempts, overdue, ownership, terminal
from shared.db.runs import claim as claims
from shared.db.runs.claim import Claim, Refusal, Refused
from shared.db.runs.complete import Closing, close, replace_late
from shared.db.runs.lease import connect
from shared.db.runs.queue import due
from shared.db.sessions.summaries import context_tokens
from shared.errors import OwnershipLost
from shared.protocol.run_states import RunState
from tests.support.rows import OWNER, add_run, add_session, messages, run_row

LEASE = 30.0


def take(db: Database, run_id: str, *, worker: str = "w", lease: float = LEASE) -> Claim | Refused:
    return db.write(lambda tx: claims.claim(tx, run_id, worker, lease))


def taken(db: Database, run_id: str, *, lease: float = LEASE) -> Claim:
    answer = take(db, run_id, lease=lease)
    assert isinstance(answer, Claim)
    return answer


def why(db: Database, run_id: str) -> Refusal:
    answer = take(db, run_id)
    assert isinstance(answer, Refused)
    return answer.why


def end(db: Database, claim: Claim, *, announced: bool = True, **fields: object) -> str | None:
    closing = Closing(RunState.COMPLETED, "run.completed", {}, last_seq=5, **fields)  # type: ignore[arg-type]
    following, _ = db.write(lambda tx: close(tx, claim, closing))
    if announced:
        db.write(lambda tx: terminal.mark_announced(tx, claim.run_id))
    return following


def at_once(count: int, work: Callable[[int], object]) -> None:
    """Run `work(0)` … `work(count - 1)` in threads that start together."""
    barrier = threading.Barrier(count)

    def one(number: int) -> None:
        barrier.wait()
        work(number)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()


def test_a_claim_knows_whether_its_prompt_is_all_that_the_session_has(db: Database) -> None:
    add_session(db, "s")
    first = taken(db, add_run(db, "s"), lease=-1.0)
    assert first.lone_tokens == 1
    again = taken(db, first.run_id)
    assert again.lone_tokens is None  # its turn began before
    end(db, again)
    assert taken(db, add_run(db, "s", queue_no=2)).lone_tokens is None


def test_messages_before_the_first_prompt_are_seen(db: Database) -> None:
    """Those of an imported session may have turn 0."""
    add_session(db, "s")
    run_id = add_run(db, "s")
    said = {"owner": OWNER, "session_id": "s", "role": "assistant", "content": "hi"}
    row = MessageRow(**said, turn_no=0, idx=0, timestamp=1.0)
    db.write(lambda tx: tx.add(row))
    assert taken(db, run_id).lone_tokens is None


def test_a_prompt_that_was_never_counted_is_read(db: Database) -> None:
    add_session(db, "s")
    run_id = add_run(db, "s")
    db.write(lambda tx: tx.execute(update(MessageRow).values(token_count=None)))
    assert taken(db, run_id).lone_tokens is None


def test_migrating_again_or_twice_at_once_changes_nothing(database_url: str) -> None:
    at_once(3, lambda _: upgrade(database_url))
    upgrade(database_url)
    assert is_current(database_url)


def test_of_many_claims_at_once_exactly_one_is_granted(db: Database) -> None:
    add_session(db, "s")
    run_id = add_run(db, "s")
    answers: list[Claim | Refused] = []
    at_once(6, lambda n: answers.append(take(db, run_id, worker=f"w{n}")))
    granted = [answer for answer in answers if isinstance(answer, Claim)]
    assert len(granted) == 1
    assert {a.why for a in answers if isinstance(a, Refused)} == {Refusal.OWNED}
    assert run_row(db, run_id).worker == granted[0].worker


def test_runs_of_one_session_that_are_claimed_at_once_start_in_order(db: Database) -> None:
    add_session(db, "s")
    runs = [add_run(db, "s", queue_no=n) for n in (1, 2, 3)]
    answers: dict[str, Claim | Refused] = {}

    def claim_it(number: int) -> None:
        answers[runs[number]] = take(db, runs[number])

    at_once(3, claim_it)
    assert isinstance(answers[runs[0]], Claim)
    assert [answers[run_id] for run_id in runs[1:]] == [Refused(Refusal.NOT_FIRST)] * 2


def test_the_database_itself_refuses_a_second_live_run_of_a_session(db: Database) -> None:
    add_session(db, "s")
    add_run(db, "s", state="running")
    with pytest.raises(IntegrityError):
        add_run(db, "s", queue_no=2, state="stopping")


def test_runs_without_a_session_do_not_wait_for_each_other(db: Database) -> None:
    runs = [add_run(db, None) for _ in range(2)]
    assert [taken(db, run_id).fence for run_id in runs] == [1, 1]


def test_sessions_of_the_same_name_of_two_owners_do_not_wait(db: Database) -> None:
    for owner in ("ann", "bob"):
        add_session(db, "s", owner=owner)
    assert taken(db, add_run(db, "s", owner="ann")).owner == "ann"
    assert taken(db, add_run(db, "s", owner="bob")).owner == "bob"


def test_a_run_starts_only_when_the_end_before_it_was_announced(db: Database) -> None:
    add_session(db, "s")
    first, second = add_run(db, "s"), add_run(db, "s", queue_no=2)
    assert end(db, taken(db, first), announced=False) == second
    refused = Refused(Refusal.UNANNOUNCED, (first,), OWNER, "s", second)
    assert take(db, second) == refused
    db.write(lambda tx: terminal.mark_announced(tx, first))
    assert taken(db, second).turn_no == 2


def test_an_ended_or_unknown_run_is_not_claimed(db: Database) -> None:
    run_id = add_run(db, None)
    end(db, taken(db, run_id))
    assert why(db, run_id) is Refusal.ENDED
    assert why(db, "run_unknown") is Refusal.UNKNOWN


def test_a_lapsed_run_gets_a_new_owner_and_the_old_one_is_refused(db: Database) -> None:
    add_session(db, "s")
    run_id = add_run(db, "s")
    old = taken(db, run_id, lease=-1.0)
    new = taken(db, run_id)
    assert (new.fence, new.lapsed, new.takeovers) == (old.fence + 1, True, 1)
    for act in (
        lambda tx: attempts.record_intent(tx, old, "eph", None),
        lambda tx: ownership.put_back(tx, old, last_seq=0, delay=1),
        lambda tx: ownership.release(tx, old, 0),
    ):
        with pytest.raises(OwnershipLost):
            db.write(act)
    with pytest.raises(OwnershipLost):
        end(db, old)
    assert run_row(db, run_id).state == "running"


def test_a_handed_over_run_is_taken_at_once_and_counts_as_no_failure(db: Database) -> None:
    run_id = add_run(db, None)
    claim = taken(db, run_id)
    db.write(lambda tx: ownership.release(tx, claim, 7))
    again = taken(db, run_id)
    assert (again.lapsed, again.takeovers, again.last_seq) == (True, 0, 7)


def test_a_renewal_under_way_does_not_take_back_what_was_handed_over(
    db: Database, database_url: str
) -> None:
    claim = taken(db, add_run(db, None))
    db.write(lambda tx: ownership.release(tx, claim, 7))
    connection = connect(database_url)
    assert connection.renew([(claim.run_id, claim.fence, 7)], 60.0) == []
    connection.close()
    assert taken(db, claim.run_id).lapsed


def test_a_run_that_was_put_back_stays_first_in_line_and_waits(db: Database) -> None:
    add_session(db, "s")
    first, second = add_run(db, "s"), add_run(db, "s", queue_no=2)
    claim = taken(db, first)
    assert db.write(lambda s: ownership.put_back(s, claim, last_seq=3, delay=60))
    assert why(db, first) is Refusal.TOO_EARLY
    assert why(db, second) is Refusal.NOT_FIRST
    db.write(lambda s: s.execute(update(RunRow).values(not_before=0.0)))
    again = taken(db, first)
    assert (again.turn_no, again.last_seq, again.fence) == (1, 3, 2)


def test_a_run_that_is_to_stop_is_not_put_back(db: Database) -> None:
    run_id = add_run(db, None)
    claim = taken(db, run_id)
    db.write(lambda s: s.execute(update(RunRow).values(state="stopping", stop_requested_at=1.0)))
    assert not db.write(lambda s: ownership.put_back(s, claim, last_seq=0, delay=1))


def test_a_prompt_gets_its_place_when_its_turn_starts(db: Database) -> None:
    add_session(db, "s")
    run_id = add_run(db, "s", text="first")
    add_run(db, "s", text="second", queue_no=2)
    assert messages(db, "s") == []
    taken(db, run_id)
    assert [(m.turn_no, m.content) for m in messages(db, "s")] == [(1, "first")]


def test_a_renewal_renews_owned_runs_and_reports_lost_and_stopped_ones(
    db: Database, database_url: str
) -> None:
    ours, lost, stopped = (taken(db, add_run(db, None), lease=1.0) for _ in range(3))
    db.write(
        lambda s: s.execute(
            update(RunRow).where(RunRow.id == stopped.run_id).values(stop_requested_at=1.0)
        )
    )
    db.write(lambda s: s.execute(update(RunRow).where(RunRow.id == lost.run_id).values(fence=9)))
    before = run_row(db, ours.run_id).lease_until or 0.0
    connection = connect(database_url)
    renewed = connection.renew([(c.run_id, c.fence, 4) for c in (ours, lost, stopped)], 60.0)
    connection.close()
    assert {(row.run_id, row.stop_requested) for row in renewed} == {
        (ours.run_id, False),
        (stopped.run_id, True),
    }
    row = run_row(db, ours.run_id)
    assert (row.lease_until or 0.0) > before + 50
    assert row.last_seq == 4


def test_an_owner_may_renew_a_lapsed_lease_while_nobody_else_has_the_run(
    db: Database, database_url: str
) -> None:
    claim = taken(db, add_run(db, None), lease=-5.0)
    connection = connect(database_url)
    assert connection.renew([(claim.run_id, claim.fence, 0)], 60.0) != []
    connection.close()
    assert why(db, claim.run_id) is Refusal.OWNED


def test_the_closing_transaction_replaces_the_turn_and_keeps_the_others(db: Database) -> None:
    add_session(db, "s")
    first = taken(db, add_run(db, "s", text="one"))
    row = {"role": "assistant", "content": "answer", "token_count": 3}
    end(db, first, rows=[row], usage={"input_tokens": 10, "output_tokens": 2})
    second = taken(db, add_run(db, "s", text="two", queue_no=2))
    end(db, second, rows=[row, {"role": "tool", "content": "x", "token_count": 1}])
    assert [(m.turn_no, m.idx, m.role) for m in messages(db, "s")] == [
        (1, 0, "user"),
        (1, 1, "assistant"),
        (2, 0, "user"),
        (2, 1, "assistant"),
        (2, 2, "tool"),
    ]
    assert db.read(lambda s: context_tokens(s, OWNER, "s")) == (1 + 3 + 1 + 3 + 1, 6)


def test_a_turn_that_is_told_late_is_replaced_and_the_others_stay(db: Database) -> None:
    add_session(db, "s")
    streamed = {"role": "assistant", "content": "streamed"}
    for number in (1, 2):
        claim = taken(db, add_run(db, "s", text="question", queue_no=number))
        end(db, claim, rows=[streamed])
    late = [{"role": "tool", "content": "result"}, {"role": "assistant", "content": "late"}]
    assert db.write(lambda tx: replace_late(tx, claim.run_id, late, None))
    assert [(m.turn_no, m.idx, m.content) for m in messages(db, "s")] == [
        (1, 0, "question"),
        (1, 1, "streamed"),
        (2, 0, "question"),
        (2, 1, "result"),
        (2, 2, "late"),
    ]


def test_an_end_replaces_rows_that_its_turn_has_already(db: Database) -> None:
    add_session(db, "s")
    claim = taken(db, add_run(db, "s"))
    place = {"owner": OWNER, "session_id": "s", "run_id": claim.run_id, "turn_no": 1, "idx": 1}
    older = MessageRow(**place, role="assistant", content="older", timestamp=1.0)
    db.write(lambda tx: tx.add(older))
    end(db, claim, rows=[{"role": "assistant", "content": "answer"}])
    assert [m.content for m in messages(db, "s")] == ["hello", "answer"]


def test_an_end_that_waits_for_the_session_sees_what_was_queued_meanwhile(
    db: Database, database_url: str
) -> None:
    add_session(db, "s")
    claim = taken(db, add_run(db, "s"))
    other, following = Database(database_url), list[str | None]()
    ending = threading.Thread(target=lambda: following.append(end(other, claim)))

    def work(tx: Session) -> None:
        lock_session(tx, OWNER, "s")
        ending.start()
        ending.join(0.2)  # as far as it gets: it waits for this transaction
        place = {"owner": OWNER, "session_id": "s", "profile": "default", "queue_no": 2}
        rest = {"state": "queued", "input": "x", "payload_hash": "", "created_at": 1.0}
        tx.add(RunRow(id="run_next", **place, **rest))

    db.write(work)
    ending.join(20)
    other.close()
    assert following == ["run_next"]


def test_an_attempt_that_is_written_down_twice_is_the_same_as_once(db: Database) -> None:
    claim = taken(db, add_run(db, None))
    for _ in range(2):
        db.write(lambda tx: attempts.record_intent(tx, claim, "eph", 7))
    (row,) = db.read(lambda tx: attempts.attempts(tx, claim.run_id))
    assert (row.fence, row.ephemeral_id, row.gateway_pid) == (1, "eph", 7)
    assert not row.never_sent
    assert not row.stream_opened


def test_the_end_is_stored_with_its_seqs_before_it_is_announced(db: Database) -> None:
    add_session(db, "s")
    run_id = add_run(db, "s")
    end(db, taken(db, run_id), announced=False)
    found = db.read(lambda s: terminal.announcement(s, run_id))
    assert found is not None
    assert [(name, payload["seq"]) for name, payload in found.entries] == [
        ("usage.updated", 6),
        ("run.completed", 7),
    ]
    assert (found.terminal_seq, found.announced) == (7, False)
    assert db.read(lambda s: terminal.unannounced(s, 10)) == [run_id]


def test_a_waiting_run_is_cancelled_or_claimed_but_not_both(db: Database) -> None:
    for number in range(5):
        name = f"s{number}"
        add_session(db, name)
        run_id = add_run(db, name)
        results: dict[str, object] = {}

        def race(which: int, run_id: str = run_id, results: dict[str, object] = results) -> None:
            if which:
                results["claim"] = take(db, run_id)
            else:
                results["cancel"] = db.write(
                    lambda s: terminal.end_unstarted(
                        s, OWNER, run_id, reason="aborted", keep_prompt=True
                    )
                )

        at_once(2, race)
        assert results["cancel"] is not isinstance(results["claim"], Claim)


def test_a_stranger_cannot_cancel(db: Database) -> None:
    add_session(db, "s")
    run_id = add_run(db, "s")
    cancelled = db.write(
        lambda s: terminal.end_unstarted(s, "mallory", run_id, reason="aborted", keep_prompt=True)
    )
    assert not cancelled
    assert run_row(db, run_id).state == "queued"


def test_a_cancelled_prompt_is_kept_or_removed_as_asked(db: Database) -> None:
    add_session(db, "s")
    kept, removed = add_run(db, "s", text="kept"), add_run(db, "s", text="removed", queue_no=2)
    for run_id, keep in ((kept, True), (removed, False)):
        db.write(
            lambda s, run_id=run_id, keep=keep: terminal.end_unstarted(  # type: ignore[misc]
                s, OWNER, run_id, reason="aborted", keep_prompt=keep
            )
        )
    assert [m.content for m in messages(db, "s")] == ["kept"]


def test_the_reaper_finds_what_lies_around_and_nothing_else(db: Database) -> None:
    add_session(db, "busy")
    add_session(db, "idle")
    taken(db, add_run(db, "busy", created_at=1.0))
    add_run(db, "busy", queue_no=2, created_at=1.0)
    head = add_run(db, "idle", created_at=1.0)
    add_run(db, "idle", queue_no=2, created_at=1.0)
    alone = add_run(db, None, created_at=1.0)
    add_run(db, None, created_at=1.0, not_before=db.read(read_clock) + 60.0)
    db.write(lambda s: due.number_missed(s, due.START, 100))
    assert sorted(db.read(lambda s: due.due_runs(s, lambda profile: 0, 100))) == sorted(
        [head, alone]
    )


def test_lapsed_runs_are_found_by_the_databases_clock(db: Database) -> None:
    lapsed = taken(db, add_run(db, None), lease=0.05)
    taken(db, add_run(db, None))
    deadline = time.monotonic() + 5
    while not (found := db.write(lambda s: overdue.lapsed_runs(s, 0.0, 10))):
        assert time.monotonic() < deadline
    assert found == [lapsed.run_id]


def test_a_unit_of_work_that_fails_leaves_nothing(db: Database) -> None:
    def work(tx: Session) -> None:
        tx.add(
            RunRow(
                id="run_x", owner="o", profile="p", state="queued", input="", payload_hash="",
                queue_no=1, created_at=1.0,
            )
        )  # fmt: skip
        tx.flush()
        raise KeyError

    with pytest.raises(KeyError):
        db.write(work)
    assert why(db, "run_x") is Refusal.UNKNOWN


def test_a_reading_shows_one_moment_even_while_others_write(
    db: Database, database_url: str
) -> None:
    add_session(db, "s")
    run_id = add_run(db, "s")
    other = Database(database_url)

    def work(tx: Session) -> list[str | None]:
        which = select(RunRow.state).where(RunRow.id == run_id)
        before = tx.scalar(which)
        taken(other, run_id)
        return [before, tx.scalar(which)]

    assert db.read(work) == ["queued", "queued"]
    assert run_row(db, run_id).state == "running"
    other.close()


def test_two_writers_lose_no_update(db: Database) -> None:
    add_session(db, "s")

    def bump(_: int) -> None:
        for _ in range(20):
            db.write(lambda s: _increment(s))

    at_once(3, bump)
    row = db.read(lambda s: s.get_one(SessionRow, (OWNER, "s")))
    assert row.next_turn == 61


def _increment(tx: Session) -> None:
    row = lock_session(tx, OWNER, "s")
    assert row is not None
    tx.execute(update(SessionRow).values(next_turn=row.next_turn + 1))
