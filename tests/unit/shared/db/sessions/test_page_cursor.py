"""The cursor of a list is read back as it was, and nothing else is taken for one."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.db.sessions.page_cursor import Position, decode, encode
from shared.errors import InvalidPayload


@given(st.booleans(), st.floats(allow_nan=False, allow_infinity=False), st.integers(1, 200))
def test_a_position_comes_back(pinned: bool, active: float, length: int) -> None:
    position = Position(pinned, active, "é" * length)
    cursor = encode(position)
    assert decode(cursor) == position
    assert cursor.replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize(
    "values",
    [
        "[]",
        '[1,2.0,"s"]',
        '[true,null,"s"]',
        '[true,1.0,""]',
        "{}",
        "x",
        '[true,1.0,"a\\u0000"]',
        '[true,1,"s"]',
        '[true,1e999,"s"]',
    ],
)
def test_others_are_refused(values: str) -> None:
    with pytest.raises(InvalidPayload):
        decode(base64.urlsafe_b64encode(values.encode()).decode())


@given(st.text(max_size=100))
def test_any_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidPayload):
        decode(text)
