"""Frames are what clients read, and clients' frames are read as they meant them, within limits."""

import random
import time

import pytest
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage

from web.transport.websocket_frames import CLOSE_FRAME, FRAMES_AT_ONCE, FrameReader, frame

LIMIT = 100_000


def client() -> Connection:
    return Connection(ConnectionType.CLIENT)


def in_fragments(text: str, size: int) -> bytes:
    sender = client()
    parts = [text[i : i + size] for i in range(0, len(text), size)]
    return b"".join(
        sender.send(TextMessage(part, message_finished=i == len(parts) - 1))
        for i, part in enumerate(parts)
    )


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
@pytest.mark.parametrize("kind", [str, bytes])
def test_a_client_reads_a_frame_as_the_message_it_was(size: int, kind: type) -> None:
    message = "x" * size if kind is str else b"x" * size
    reader = client()
    reader.receive_data(frame(message))
    (event,) = reader.events()
    assert isinstance(event, TextMessage | BytesMessage)
    assert event.message_finished
    assert event.data == message


def test_the_goodbye_is_a_close_frame_without_a_reason() -> None:
    reader = client()
    reader.receive_data(CLOSE_FRAME)
    (event,) = reader.events()
    assert isinstance(event, CloseConnection)
    assert event.reason == ""


@pytest.mark.parametrize("step", [1, 2, 7, 1000])
def test_messages_are_heard_whatever_pieces_their_bytes_come_in(step: int) -> None:
    sender = client()
    sent: list[str | bytes] = ["3", "", "héllo \U0001f600", b"\x00\xff", "y" * 300]
    data = b"".join(
        sender.send(TextMessage(m) if isinstance(m, str) else BytesMessage(m)) for m in sent
    )
    incoming = FrameReader(LIMIT)
    heard: list[str | bytes] = []
    for i in range(0, len(data), step):
        heard += incoming.feed(data[i : i + step]).messages
    assert heard == sent


def test_fragments_are_one_message_and_a_ping_among_them_is_answered() -> None:
    data = in_fragments("abcdef", 3)
    half = len(data) // 2
    incoming = FrameReader(LIMIT)
    assert incoming.feed(data[:half])[:3] == ([], b"", b"")
    pongs = incoming.feed(client().send(Ping(b"there?"))).pongs
    reader = client()
    reader.receive_data(pongs)
    assert list(reader.events()) == [Pong(b"there?")]
    assert incoming.feed(data[half:]).messages == ["abcdef"]


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("x" * (LIMIT + 1), LIMIT * 2),
        ("x" * (LIMIT + 1), 1000),
        ("\U0001f600" * (LIMIT // 4 + 1), LIMIT),
    ],
)
def test_a_message_over_the_limit_ends_the_connection(text: str, size: int) -> None:
    heard = FrameReader(LIMIT).feed(in_fragments(text, size))
    assert heard.messages == []
    assert code_of(heard.close_frame) == 1009


def test_a_message_of_just_the_limit_is_heard_and_so_is_the_next() -> None:
    incoming = FrameReader(LIMIT)
    for _ in range(2):
        assert incoming.feed(in_fragments("x" * LIMIT, 999)).messages == ["x" * LIMIT]


def test_a_goodbye_is_answered_with_its_code() -> None:
    sender = client()
    data = sender.send(TextMessage("last")) + sender.send(CloseConnection(1001))
    heard = FrameReader(LIMIT).feed(data)
    assert heard.messages == ["last"]
    assert code_of(heard.close_frame) == 1001


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x81\x013", 1002),  # not masked
        (b"\xc1\x81\0\0\0\0x", 1002),  # a bit of an extension
        (b"\x83\x80\0\0\0\0", 1002),  # an unknown kind
        (b"\x80\x81\0\0\0\0x", 1002),  # a continuation of nothing
        (b"\x81\x81\0\0\0\0\xff", 1007),  # no text
        (b"\x88\x81\0\0\0\0x", 1002),  # a goodbye with half a code
        (b"\x89\xfe\0\x7e\0\0\0\0" + b"x" * 126, 1002),  # a ping of 126 bytes
        (b"\x8a\xff\0\0\0\0\0\1\0\0\0\0\0\0", 1002),  # a pong of 65,536
        (b"\x09\x80\0\0\0\0", 1002),  # a ping in fragments
        (b"\x81\xff\x80\0\0\0\0\0\0\0\0\0\0\0", 1002),  # more bytes than there are numbers for
        (b"\x01\x81\0\0\0\0x\x81\x81\0\0\0\0y", 1002),  # a message within a message
    ],
)
def test_what_no_client_may_send_ends_the_connection(data: bytes, code: int) -> None:
    assert code_of(FrameReader(LIMIT).feed(data).close_frame) == code


def test_a_frame_of_900_kilobytes_takes_milliseconds() -> None:
    text = "".join(random.Random(1).choices("abcdef", k=900_000))
    data = client().send(TextMessage(text))
    best = min(_seconds(data) for _ in range(3))
    assert best < 0.03  # byte by byte it takes ten times as long


def _seconds(data: bytes) -> float:
    incoming = FrameReader(1_000_000)
    begun = time.perf_counter()
    for i in range(0, len(data), 1 << 16):
        incoming.feed(data[i : i + (1 << 16)])
    return time.perf_counter() - begun


def code_of(goodbye: bytes) -> int:
    reader = client()
    reader.receive_data(goodbye)
    (event,) = reader.events()
    assert isinstance(event, CloseConnection)
    return int(event.code)


def test_of_many_frames_some_are_read_at_once_and_none_is_lost() -> None:
    incoming = FrameReader(LIMIT)
    sender = client()
    sent = [str(number) for number in range(3 * FRAMES_AT_ONCE)]
    got = incoming.feed(b"".join(sender.send(TextMessage(text)) for text in sent))
    heard = got.messages
    assert (len(heard), got.frames, got.more) == (FRAMES_AT_ONCE, FRAMES_AT_ONCE, True)
    while got.more:
        got = incoming.feed(b"")
        heard += got.messages
    assert heard == sent


def test_a_message_that_is_not_complete_has_a_size() -> None:
    incoming = FrameReader(LIMIT)
    data = in_fragments("x" * 5000, 1000)
    incoming.feed(data[: len(data) // 2])
    assert 1000 < incoming.size < 4000
    incoming.feed(data[len(data) // 2 :])
    assert incoming.size == 0
