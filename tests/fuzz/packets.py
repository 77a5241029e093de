"""Random Engine.IO packets with Socket.IO packets in them, as text of a WebSocket or a POST."""

from __future__ import annotations

from random import Random

from tests.fuzz import values

EVENTS = ("run", "resume", "abort", "queue.cancel", "approval", "connect", "disconnect", "message")
NAMESPACES = (
    *("/chat-run,",) * 12,
    "/chat-run?a=b,",
    "/other,",
    "/,",
    "",
    "/chat-run",
    "/" + "x" * 500,
)
FIELDS = ("session_id", "run_id", "epoch", "after_seq", "choice", "approval_id", "on_busy", "input")


def packet(rng: Random, token: str) -> bytes:
    """One packet: well-formed, of a wrong shape, or damaged."""
    whole = rng.choices((_event, _connect, _binary, _other), (20, 3, 1, 2))[0](rng, token)
    return values.damaged(rng, whole) if rng.random() < 0.2 else whole


def payload(rng: Random, token: str) -> bytes:
    """The body of a polling POST: some packets, now and then more than a body may have."""
    count = rng.choice((1, 1, 2, 5, 16, 17, 40))
    return b"\x1e".join(packet(rng, token) for _ in range(count))


def _event(rng: Random, _: str) -> bytes:
    number = rng.choice(("", "", str(rng.randrange(100)), "9" * 120, "-1"))
    named = rng.choice(EVENTS).encode()
    name = b'"' + named + b'"' if rng.random() < 0.9 else values.text(rng)
    arguments = b"".join(b"," + _argument(rng) for _ in range(rng.choice((0, 1, 1, 1, 2, 5))))
    return f"42{rng.choice(NAMESPACES)}{number}[".encode() + name + arguments + b"]"


def _argument(rng: Random) -> bytes:
    if rng.random() < 0.3:
        return values.text(rng)
    fields = (
        b'"' + rng.choice(FIELDS).encode() + b'":' + values.text(rng)
        for _ in range(rng.randrange(4))
    )
    return b"{" + b",".join(fields) + b"}"


def _connect(rng: Random, token: str) -> bytes:
    auth = b'{"token":"%s"}' % token.encode() if rng.random() < 0.7 else values.text(rng)
    return f"40{rng.choice(NAMESPACES)}".encode() + auth


def _binary(rng: Random, _: str) -> bytes:
    count = rng.choice(("0", "1", "3", "9999999999", "-1", ""))
    kind = rng.choice(("45", "46"))
    body = rng.choice(('["run",{"_placeholder":true,"num":0}]', "[]", '{"_placeholder":1}', ""))
    return f"{kind}{count}-{rng.choice(NAMESPACES)}{body}".encode()


def _other(rng: Random, _: str) -> bytes:
    head = rng.choice(("0", "1", "2", "2probe", "3", "41/chat-run,", "43/chat-run,1", "44", "47",
                       "5", "6", "7", "b", "bAQID", "4", "", " ", "é", "\x1e\x1e"))  # fmt: skip
    return head.encode() + (values.text(rng) if rng.random() < 0.3 else b"")
