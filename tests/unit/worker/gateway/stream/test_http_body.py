"""A body is the same however it is framed, and however the connection cuts it into pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import StreamBroken
from worker.gateway.stream.http_body import LINE_MOST, Body, Chunked, Sized, UntilClosed

PIECES = st.lists(st.binary(min_size=1, max_size=40), max_size=8)
SIZES = st.lists(st.integers(1, 30), max_size=40)
LINES = st.sampled_from([b"%x", b"%X", b"000%x", b"%x;name=value", b"%x ", b'%x\t;a;b="c"'])


def chunked(pieces: list[bytes], line: bytes = b"%x", end: bytes = b"0\r\n\r\n") -> bytes:
    chunks = (line % len(piece) + b"\r\n" + piece + b"\r\n" for piece in pieces)
    return b"".join(chunks) + end


def fed(body: Body, data: bytes, sizes: list[int]) -> bytes:
    """What comes out when the data comes in reads of these sizes, the rest in one."""
    out, at = b"", 0
    for size in [*sizes, len(data)]:
        if at < len(data):
            out += body.feed(data[at : at + size])
            at += size
    return out


@given(PIECES, SIZES, LINES)
def test_chunks_of_any_size_in_reads_of_any_size(
    pieces: list[bytes], sizes: list[int], line: bytes
) -> None:
    body = Chunked()
    assert fed(body, chunked(pieces, line), sizes) == b"".join(pieces)
    assert body.over


@given(PIECES, SIZES)
def test_what_follows_the_last_chunk_is_none_of_it(pieces: list[bytes], sizes: list[int]) -> None:
    body = Chunked()
    end = b"0\r\nTrailer: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"
    assert fed(body, chunked(pieces, end=end), sizes) == b"".join(pieces)
    assert body.over


@given(PIECES, SIZES)
def test_a_chunk_is_passed_on_before_it_is_whole(pieces: list[bytes], sizes: list[int]) -> None:
    body = Chunked()
    assert fed(body, chunked(pieces, end=b"64\r\n" + b"x" * 99), sizes) == b"".join(
        [*pieces, b"x" * 99]
    )
    assert not body.over


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n",
        b"x\r\n",
        b"-1\r\nx",
        b"+1\r\nx",
        b"0x1\r\nx",
        b"1_0\r\nx",
        b"1 1\r\nx",
        b"1\r\nxx\r\n0\r\n",
        b"1\r\nx1\r\nx",
        b"1" * 16 + b"\r\n",
        b"1" * (LINE_MOST + 1),
    ],
)
@pytest.mark.parametrize("size", [1, 100_000])
def test_what_is_no_chunk_breaks_it(data: bytes, size: int) -> None:
    body = Chunked()
    fed(body, data, [size] * len(data))
    assert isinstance(body.fault, StreamBroken)


@given(PIECES, SIZES, st.sampled_from([b"x\r\n", b"-1\r\nx", b"1\r\nxx", b"1" * 16 + b"\r\n"]))
def test_what_came_before_a_fault_is_passed_on(
    pieces: list[bytes], sizes: list[int], fault: bytes
) -> None:
    body = Chunked()
    begun = b"x" if fault.startswith(b"1\r") else b""
    assert fed(body, chunked(pieces, end=fault), sizes) == b"".join(pieces) + begun
    assert not body.over
    assert body.feed(b"1\r\ny\r\n") == b""


@given(st.binary(max_size=60), st.binary(max_size=20), SIZES)
def test_a_body_of_a_known_length(content: bytes, after: bytes, sizes: list[int]) -> None:
    body = Sized(len(content))
    assert fed(body, content + after, sizes) == content
    assert body.over


@given(st.binary(max_size=60), SIZES)
def test_a_body_to_the_end_of_the_connection(content: bytes, sizes: list[int]) -> None:
    body = UntilClosed()
    assert fed(body, content, sizes) == content
    body.closed()


@pytest.mark.parametrize("body", [Chunked(), Sized(3)])
def test_a_connection_that_ends_too_early_breaks_it(body: Body) -> None:
    with pytest.raises(StreamBroken):
        body.closed()
