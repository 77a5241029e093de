"""Places in a session: what they say, as text and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.readers.place import NoPosition, Place
from web.readers.sessions.session_place import MOST, SessionPlace, parse_session

places = st.builds(
    Place,
    epoch=st.integers(0, 10**9 - 1),
    seq=st.integers(0, 10**15 - 1),
    text=st.integers(0, 10**12 - 1),
    reasoning=st.integers(0, 10**12 - 1),
    tools=st.integers(0, 10**9 - 1),
    open=st.just(()),
    checksum=st.integers(0, 2**32 - 1),
)


@st.composite
def session_places(draw: st.DrawFn) -> SessionPlace:
    numbers = draw(st.lists(st.integers(1, 10**9 - 1), unique=True, max_size=MOST))
    last = max([0, *numbers, draw(st.integers(0, 10**9 - 1))])
    return SessionPlace(last, tuple((number, draw(places)) for number in numbers))


@given(session_places())
def test_an_id_says_the_place(place: SessionPlace) -> None:
    assert parse_session(place.id) == place


@given(session_places(), st.integers(1, 10**9 - 1), places)
def test_ids_of_a_turn_are_those_of_its_run_behind_a_lead(
    place: SessionPlace, turn: int, inner: Place
) -> None:
    assert place.before(turn) + inner.id == place.at(turn, inner).id


def test_a_place_knows_what_was_received() -> None:
    place = SessionPlace().done(3).at(5, Place(1, 2))
    assert [place.has(turn) for turn in (1, 3, 5, 6)] == [True, True, False, False]
    assert place.of(5) == Place(1, 2)
    later = place.at(6, Place(1, 0)).done(6)
    assert [later.has(turn) for turn in (5, 6)] == [False, True]
    assert later.done(5) == SessionPlace(6)


@pytest.mark.parametrize(
    "text",
    [
        "", "~", "x", "-1", "1~", "1~1", "1~1~5", "1~0~1-1-0-0-0--00000000", "\u0661",
        "1~2~1-1-0-0-0--00000000", "2~1~1-1-0-0-0--00000000~1~1-1-0-0-0--00000000",
        "1\n", "99999999999999999999", "1~1~1-1-0-0-0--00000000" * 40,
    ],
)  # fmt: skip
def test_other_texts_are_no_places(text: str) -> None:
    with pytest.raises(NoPosition):
        parse_session(text)
