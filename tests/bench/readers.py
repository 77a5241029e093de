"""`python -m tests.bench.readers`: what readers of one run's events cost a web process.

A run of some tokens per second, and many readers of its event stream in a process of their own, all
on one web process. Each has to get every event once and in order. Meanwhile another user, who has a
socket, starts runs: their first tokens are compared with those in quiet.
"""

from __future__ import annotations

import argparse
import multiprocessing
import re
import resource
import selectors
import socket
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection

from tests.abuse.observe import Bystander, use_of
from tests.acceptance.answers import talk
from tests.support.http_api import ApiClient
from tests.support.servers.stack import TOKEN, Stack

SEQ = re.compile(rb'"seq":(\d+)')
END = b": stream closed"
WITHIN = 300.0  # seconds
AT_ONCE = 50


@dataclass
class Stream:
    """One reader: the number of its last event, what is not yet a whole line, what was wrong. What
    came before a reader may be condensed: those events have no numbers."""

    seq: int = 0
    condensed: bool = False
    rest: bytes = b""
    faults: int = 0
    ended: bool = False

    def take(self, data: bytes) -> None:
        """Count the events in what was received."""
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            if found := SEQ.search(line):
                seq = int(found[1])
                self.faults += seq != self.seq + 1 and not (self.condensed and seq > self.seq)
                self.seq, self.condensed = seq, False
            self.condensed |= b'"condensed":true' in line
            self.ended |= line.startswith(END)


def read_all(address: tuple[str, int], run_id: str, count: int, control: Connection) -> None:
    """The work of the readers' process: open all, say so, read to the end, report."""
    allow_files(count + 200)
    selector = selectors.DefaultSelector()
    streams: list[Stream] = []
    head = f"GET /v1/runs/{run_id}/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}"
    while len(streams) < count:
        # A few at once: until its request is read, each is a stranger, of whom few may be there.
        socks = [socket.create_connection(address, timeout=30) for _ in range(AT_ONCE)]
        for sock in socks:
            sock.sendall(f"{head}\r\n\r\n".encode())
        for sock in socks:
            first = sock.recv(1 << 16)
            if b" 200 " not in first[:20]:  # too busy: another one comes in its place
                sock.close()
                continue
            streams.append(Stream())
            streams[-1].take(first)
            sock.setblocking(False)
            selector.register(sock, selectors.EVENT_READ, streams[-1])
    control.send("open")
    deadline = time.monotonic() + WITHIN
    while selector.get_map() and time.monotonic() < deadline:
        for key, _ in selector.select(1.0):
            stream = key.data
            data = key.fileobj.recv(1 << 16)  # type: ignore[union-attr]
            stream.take(data)
            if not data or stream.ended:
                selector.unregister(key.fileobj)
                key.fileobj.close()  # type: ignore[union-attr]
    events = {stream.seq for stream in streams}
    whole = sum(stream.ended and not stream.faults for stream in streams)
    control.send((whole, sorted(events), sum(stream.faults for stream in streams)))


def allow_files(count: int) -> None:
    """Let this process, and those that it starts, have so many open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))


def measure(stack: Stack, readers: int, tokens: int, rate: float) -> str:
    """One row: a run of that many tokens at that rate, with so many readers."""
    web = stack.web[0].pid
    bystander = Bystander(stack.url, TOKEN)
    try:
        bystander.first_tokens(2)
        quiet, before = bystander.first_tokens(), use_of(web)
        run_id = ApiClient(stack.url, TOKEN).start(talk(tokens, rate=rate), f"readers-{readers}")
        ours, theirs = multiprocessing.Pipe()
        process = multiprocessing.get_context("spawn").Process(
            target=read_all, args=(("127.0.0.1", stack.port), run_id, readers, theirs), daemon=True
        )
        process.start()
        ours.recv()
        opened = use_of(web)
        began = time.monotonic()
        during = bystander.first_tokens()
        peak, seconds = use_of(web), time.monotonic() - began
        whole, events, faults = ours.recv()
        process.join()
    finally:
        bystander.leave()
    memory = (peak.megabytes - before.megabytes) * 1024 / readers
    return (
        f"{readers:5} readers: {whole} whole, last events {events}, {faults} faults; "
        f"{memory:.0f} KB each; CPU {100 * (peak.cpu - opened.cpu) / seconds:.0f} % of a core; "
        f"another's first token {quiet * 1000:.0f} -> {during * 1000:.0f} ms"
    )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("counts", nargs="*", type=int, default=[50, 1000])
    parser.add_argument("--tokens", type=int, default=6000)
    parser.add_argument("--rate", type=float, default=50.0, help="tokens per second")
    chosen = parser.parse_args()
    allow_files(max(chosen.counts) + 1000)
    for count in chosen.counts:
        stack = Stack().start()
        try:
            print(measure(stack, count, chosen.tokens, chosen.rate), flush=True)
        finally:
            stack.stop()


if __name__ == "__main__":
    main()
