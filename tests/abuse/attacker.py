"""Attacks in a process of their own, so that they do not slow down who measures."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Final

from tests.abuse import attacks
from tests.abuse.attacks import Attack

ATTACKS: Final[dict[str, Callable[[Attack], None]]] = {
    "A1 1,300 idle connections": lambda a: attacks.idle_connections(a, 1300),
    "A2 1,000 unanswered POSTs": lambda a: attacks.unanswered_posts(a, 1000),
    "A3 pings, pongs not read": lambda a: attacks.ping_flood(a, 600),
    "A4 1,000 silent WebSockets": lambda a: attacks.silent_websockets(a, 1000),
    "A4 1,000 wrong tokens": lambda a: attacks.wrong_tokens(a, 1000),
    "A4 500 slow headers": lambda a: attacks.unfinished_headers(a, 500),
    "A4 16 clients of handshakes": lambda a: attacks.handshakes(a, 16),
    "A4 200 endless messages": lambda a: attacks.stranger_fragments(a, 200),
    "A5 10,000 malformed packets": lambda a: attacks.malformed_packets(a, 10_000),
    "A5 16 floods of small frames": lambda a: attacks.frame_flood(a, 16),
    "A7 60 resumes, not read": lambda a: attacks.unread_resumes(a, 60),
    "A7 60 resumes, not fetched": lambda a: attacks.unfetched_resumes(a, 60),
}


def attack_until_released(name: str, port: int, token: str, control: Connection) -> None:
    """The work of the attacker's process: attack, say that it is under way, wait, let go."""
    attack = Attack(("127.0.0.1", port), token)
    ATTACKS[name](attack)
    control.send("attacking")
    control.recv()
    attack.release()


@contextmanager
def attacker(name: str, port: int, token: str) -> Iterator[None]:
    """A process of its own that attacks, so that it does not slow down who measures."""
    ours, theirs = multiprocessing.Pipe()
    started = multiprocessing.get_context("spawn").Process(
        target=attack_until_released, args=(name, port, token, theirs), daemon=True
    )
    started.start()
    try:
        if not ours.poll(300):
            raise TimeoutError(f"{name} did not begin")
        ours.recv()
        yield
        ours.send("release")
        started.join(60)
    finally:
        started.kill()
