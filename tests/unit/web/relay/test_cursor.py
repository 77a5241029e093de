"""What a notification or a reading of the log changes."""

import pytest

from shared.event_log.store import LogView
from shared.protocol.events import LogAppended, LogReinstalled
from web.relay.cursor import Action, RelayCursor, Step, read, receive, receive_reinstall


def appended(
    first: int, count: int, *, fence: int = 1, epoch: int = 1, ended: bool = False
) -> LogAppended:
    entries = [f"{seq}".encode() for seq in range(first, first + count)]
    return LogAppended("r", epoch, fence, first, ended, entries)


def view(
    first: int, head: int, *, epoch: int = 1, fence: int = 1, base: int = 0, ended: bool = False
) -> LogView:
    entries = [f"{seq}".encode() for seq in range(first, head + 1)]
    return LogView("r", epoch, fence, head, base, ended, first, entries, None)


@pytest.mark.parametrize(
    ("seq", "first", "count", "delivered"),
    [(0, 1, 3, "1 2 3"), (3, 4, 1, "4"), (2, 1, 3, "3"), (3, 1, 3, ""), (5, 1, 3, "")],
)
def test_a_doorbell_tells_what_is_beyond_the_cursor(
    seq: int, first: int, count: int, delivered: str
) -> None:
    cursor = RelayCursor(1, seq)
    step = receive(cursor, appended(first, count))
    assert [e.decode() for e in step.entries] == delivered.split()
    assert cursor.seq == max(seq, first + count - 1)


def test_a_gap_tells_nothing_and_asks_for_the_log() -> None:
    cursor = RelayCursor(1, 3)
    assert receive(cursor, appended(5, 2)) == Step(action=Action.READ)
    assert cursor.seq == 3


def test_a_fenced_owner_is_not_heard() -> None:
    cursor = RelayCursor(1, 3, fence=2)
    assert receive(cursor, appended(4, 1, fence=1)) == Step()
    assert receive(cursor, appended(4, 1, fence=2)).entries == [b"4"]


def test_an_old_epoch_is_not_heard_and_a_new_one_is_read() -> None:
    cursor = RelayCursor(2, 3)
    assert receive(cursor, appended(4, 1, epoch=1, fence=9)) == Step()
    assert receive(cursor, appended(1, 1, epoch=3)).action is Action.READ


def test_after_the_end_nothing_is_heard() -> None:
    cursor = RelayCursor(1, 3)
    assert receive(cursor, appended(4, 2, ended=True)).entries == [b"4", b"5"]
    assert receive(cursor, appended(4, 2, ended=True)) == Step()
    assert receive(cursor, appended(6, 1, fence=2)) == Step()


def test_an_end_fixed_below_what_was_shown_is_told_all_the_same() -> None:
    cursor = RelayCursor(1, 9)
    assert receive(cursor, appended(4, 2, ended=True)).entries == [b"4", b"5"]
    assert cursor.ended


def test_a_log_written_anew_is_read_only_if_it_has_more() -> None:
    assert receive_reinstall(RelayCursor(1, 5), LogReinstalled("r", 1, 5)) == Step()
    assert receive_reinstall(RelayCursor(1, 5), LogReinstalled("r", 1, 7)).action is Action.READ
    assert receive_reinstall(RelayCursor(1, 5), LogReinstalled("r", 2, 1)).action is Action.READ


def test_a_reading_fills_the_gap() -> None:
    cursor = RelayCursor(1, 3)
    assert read(cursor, view(4, 6)).entries == [b"4", b"5", b"6"]
    assert (cursor.seq, cursor.ended) == (6, False)


def test_a_whole_reading_tells_only_what_is_new() -> None:
    assert read(RelayCursor(1, 3), view(1, 5)).entries == [b"4", b"5"]


def test_a_log_trimmed_beyond_the_cursor_needs_a_resync() -> None:
    cursor = RelayCursor(1, 3)
    assert read(cursor, view(8, 9, base=7)).action is Action.RESYNC
    assert cursor.seq == 9


def test_a_new_epoch_needs_a_resync_and_its_end_is_told() -> None:
    step = read(RelayCursor(1, 30), view(1, 4, epoch=2, ended=True))
    assert (step.action, step.entries) == (Action.RESYNC, [b"4"])
