"""JSON of any kind is read: nothing raises, and what is odd in one field leaves the others."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.any_json import CUT_MOST, DEEPEST, decode

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text()
    | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(VALUES, st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le"]))
def test_what_is_json_is_read_in_any_encoding(value: Any, encoding: str) -> None:
    assert decode(json.dumps(value)) == value
    assert decode(json.dumps([value]).encode(encoding)) == [value]


@given(st.binary() | st.text(alphabet='{}[]",:\\u0d8 \x00', max_size=200).map(str.encode))
def test_nothing_raises(data: bytes) -> None:
    decode(data)
    decode(data.decode("latin-1"))


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b'{"a": "\xff", "b": 1}', {"a": "\ufffd", "b": 1}),
        (b'{"a": "x\x00\ty\x1f", "b": 1}', {"a": "x\x00\ty\x1f", "b": 1}),
        (b'{"a": Infinity}', {"a": math.inf}),
        (b'{"a": 1e999}', {"a": math.inf}),
        (b'{"a": -' + b"9" * 5000 + b"}", {"a": "-" + "9" * 5000}),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (rb'{"a": "\ud83d"}', {"a": "\ud83d"}),
        (b"\xef\xbb\xbf[1]", [1]),
        (b'"\xed\xa0\xbd"', "\ud83d"),
        (b"", None),
        (b"{'a': 1}", None),
        (b'{"a": 1} x', None),
    ],
)
def test_what_a_strict_reader_refuses(data: bytes, value: Any) -> None:
    assert decode(data) == value


def depth(value: Any) -> int:
    found = 0
    while isinstance(value, list | dict) and value:
        value = value[0] if isinstance(value, list) else next(iter(value.values()))
        found += 1
    return found


@pytest.mark.parametrize("levels", [599, 600, 601, 990, 1023, 1024, 1025, 3000, 100_000])
@pytest.mark.parametrize(("begin", "end"), [("[", "]"), ('{"k":', "}"), ('[{"]}":', "}]")])
def test_depth_costs_what_lies_too_deep_and_nothing_beside_it(
    levels: int, begin: str, end: str
) -> None:
    deep = begin * levels + '"[\\"{"' + end * levels
    found = decode(f'{{"before": 1, "deep": {deep}, "after": [[2]]}}')
    assert (found["before"], found["after"]) == (1, [[2]])
    assert depth(found["deep"]) in {levels, 2 * levels, DEEPEST - 1}


@pytest.mark.parametrize("data", ["[" * 5000, "[" * 5000 + "}" * 5000, "]" * 10, "[" * 5000 + '"'])
def test_depth_without_an_end_is_no_json(data: str) -> None:
    assert decode(data) is None


def test_what_would_take_seconds_to_cut_is_no_json() -> None:
    assert decode("[" * CUT_MOST + "]" * CUT_MOST) is None
