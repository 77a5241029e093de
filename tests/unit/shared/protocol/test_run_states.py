"""The table of moves between run states, and the sets that follow from it (R19)."""

from itertools import product

from shared.protocol.run_states import (
    END_MOVES,
    ENDED,
    INITIAL,
    LIVE,
    MOVES,
    OPEN,
    Move,
    RunState,
    is_allowed,
)


def test_every_move_is_in_the_table_and_no_move_leaves_an_ended_run() -> None:
    assert set(MOVES) == set(Move)
    assert not any(is_allowed(move, state) for move, state in product(Move, ENDED))


def test_the_sets_of_states_follow_from_the_table() -> None:
    assert {RunState.RUNNING, RunState.STOPPING} == LIVE
    assert {RunState.QUEUED, RunState.RUNNING, RunState.STOPPING} == OPEN
    assert {RunState.COMPLETED, RunState.FAILED, RunState.ABORTED} == ENDED
    assert set(RunState) == OPEN | ENDED


def test_every_state_can_be_reached_and_every_open_run_can_end() -> None:
    targets = {target for starts in MOVES.values() for target in starts.values()}
    assert targets | {INITIAL} == set(RunState)
    for state in OPEN:
        assert ENDED & {starts[state] for starts in MOVES.values() if state in starts}


def test_an_owner_can_end_a_live_run_in_every_final_state() -> None:
    assert set(END_MOVES) == ENDED
    for end, move in END_MOVES.items():
        assert MOVES[move] == dict.fromkeys(LIVE, end)


def test_a_run_that_is_taken_over_stays_what_it_was() -> None:
    assert MOVES[Move.TAKE_OVER] == {state: state for state in LIVE}
