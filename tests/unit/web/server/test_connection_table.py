"""Which connections stay: unauthenticated ones have a budget and deadlines."""

from __future__ import annotations

from web.server.connection_table import (
    ClientConnection,
    ConnectionLimits,
    ConnectionTable,
    network_of,
)


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Visit:
    """A connection, and whether it was cut."""

    def __init__(self, table: ConnectionTable, address: str = "192.0.2.1") -> None:
        self.was_cut = False
        connection = table.admit(address, self._cut)
        assert connection is not None
        self.connection: ClientConnection = connection

    def _cut(self) -> None:
        self.was_cut = True


def table(
    connections: int = 100, unauthenticated: int = 10, per_address: int = 5
) -> tuple[ConnectionTable, Clock]:
    clock = Clock()
    return ConnectionTable(
        ConnectionLimits(connections, unauthenticated, per_address), clock
    ), clock


def test_the_oldest_unauthenticated_of_an_address_makes_room_for_the_next_one() -> None:
    made, _ = table(per_address=2)
    first, second = Visit(made), Visit(made)
    other = Visit(made, "192.0.2.2")
    third = Visit(made)
    assert [v.was_cut for v in (first, second, other, third)] == [True, False, False, False]
    assert made.unauthenticated() == 3


def test_the_oldest_unauthenticated_of_all_makes_room_when_many_addresses_come() -> None:
    made, _ = table(unauthenticated=3)
    visits = [Visit(made, f"192.0.2.{n}") for n in range(5)]
    assert [v.was_cut for v in visits] == [True, True, False, False, False]
    assert made.cut_for_room == 2


def test_who_is_authenticated_is_not_cut_for_unauthenticated() -> None:
    made, _ = table(unauthenticated=2, per_address=2)
    known = Visit(made)
    known.connection.mark_authenticated()
    for _ in range(5):
        Visit(made)
    assert not known.was_cut
    assert (len(made), made.unauthenticated()) == (3, 2)


def test_a_full_house_takes_a_unauthenticated_s_place_and_refuses_when_all_are_known() -> None:
    made, _ = table(connections=2)
    unauthenticated = Visit(made)
    Visit(made, "192.0.2.2").connection.mark_authenticated()
    Visit(made, "192.0.2.3").connection.mark_authenticated()
    assert unauthenticated.was_cut
    assert made.admit("192.0.2.4", lambda: None) is None


def test_who_misses_a_deadline_is_cut_once() -> None:
    made, clock = table()
    late, early = Visit(made), Visit(made)
    late.connection.within(5.0)
    early.connection.within(5.0)
    clock.now += 4.0
    early.connection.within(None)
    made.cut_overdue()
    assert not late.was_cut
    clock.now += 1.0
    made.cut_overdue()
    assert (late.was_cut, early.was_cut, made.cut_late, len(made)) == (True, False, 1, 1)


def test_a_step_after_the_end_changes_nothing() -> None:
    made, clock = table()
    gone = Visit(made)
    gone.connection.remove()
    gone.connection.remove()
    gone.connection.within(1.0)
    clock.now += 2.0
    made.cut_overdue()
    assert (gone.was_cut, len(made), made.unauthenticated()) == (False, 0, 0)


def test_the_addresses_of_one_person_count_as_one() -> None:
    assert network_of("2001:db8::1") == network_of("2001:db8::2")
    assert network_of("2001:db8::1") != network_of("2001:db8:0:1::1")
    assert network_of("::ffff:192.0.2.1") == network_of("192.0.2.1")
    assert network_of("192.0.2.1") != network_of("192.0.2.2")
    assert network_of("") == ""
