"""Output to what is closed, full or stuck: it is lost, and nothing else happens (C21)."""

import fcntl
import os
import pty
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest

from deploy.supervisor.prefixed_output import PrefixedOutput

MUCH = "x" * 200_000
QUICK = 5.0  # seconds; a write that waits does so for ever


def written(stream: TextIO | None, text: str) -> PrefixedOutput:
    output = PrefixedOutput(stream, coloured=False)
    began = time.monotonic()
    for _ in range(20):
        output.write_line("web", text)
    assert time.monotonic() - began < QUICK
    return output


@pytest.mark.parametrize("text", ["short", MUCH, "\ud83d"])
def test_a_full_disk(text: str) -> None:
    with Path("/dev/full").open("w") as stream:
        written(stream, text)


def test_nothing_at_all() -> None:
    written(None, "text")


@pytest.fixture
def pipe() -> Iterator[tuple[int, TextIO]]:
    reader, writer = os.pipe()
    stream = os.fdopen(writer, "w")
    yield reader, stream
    stream.close()


def test_a_pipe_that_was_closed(pipe: tuple[int, TextIO]) -> None:
    os.close(pipe[0])
    written(pipe[1], "text")


def test_a_pipe_that_nobody_reads_costs_a_second_and_tells_what_was_lost(
    pipe: tuple[int, TextIO],
) -> None:
    reader, stream = pipe
    output = written(stream, MUCH)
    os.set_blocking(reader, False)
    while read(reader):
        pass
    output.write_line("web", "again")
    shown = read(reader).decode()
    assert "output.lost lines=20" in shown
    assert shown.endswith("| again\n")
    output.write_line("web", "more")
    assert "lost" not in read(reader).decode()
    assert not fcntl.fcntl(stream.fileno(), fcntl.F_GETFL) & os.O_NONBLOCK
    os.close(reader)


def read(reader: int) -> bytes:
    try:
        return os.read(reader, 100_000)
    except BlockingIOError:
        return b""


def test_a_terminal_that_was_stopped_and_then_closed() -> None:
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as stream:
        output = written(stream, MUCH)
        os.close(master)
        output.write_line("web", "nobody is there")


def test_a_file_keeps_what_was_in_it(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_text("before\n")
    with file.open("a") as stream:
        PrefixedOutput(stream, coloured=False).write_line("web", "after")
    assert file.read_text() == "before\nweb      | after\n"
