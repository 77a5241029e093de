"""Random WebSocket frames of a client, valid and not (RFC 6455)."""

from __future__ import annotations

import struct
from random import Random

from tests.fuzz import packets

TEXT = 1


def masked(opcode: int, payload: bytes, first: int = 0x80) -> bytes:
    """A frame with a zero mask; `first`: its first bits."""
    size = len(payload)
    if size <= 125:
        head = bytes([first | opcode, 0x80 | size])
    elif size <= 0xFFFF:
        head = bytes([first | opcode, 0x80 | 126]) + struct.pack("!H", size)
    else:
        head = bytes([first | opcode, 0x80 | 127]) + struct.pack("!Q", size)
    return head + b"\0\0\0\0" + payload


def frame(rng: Random, token: str) -> bytes:
    """One frame, or a piece of one."""
    payload = (
        packets.packet(rng, token) if rng.random() < 0.6 else rng.randbytes(rng.randrange(300))
    )
    match rng.randrange(10):
        case 0:
            return masked(rng.choice((8, 9, 10)), payload[: rng.choice((0, 1, 2, 125, 126, 300))])
        case 1:
            return masked(rng.randrange(16), payload, rng.choice((0, 0x80, 0x40, 0xC0, 0xF0)))
        case 2:  # fragments, in order or not
            parts = [(1, 0), (0, 0), (0, 0x80), (9, 0x80), (1, 0x80)]
            chosen = (rng.choice(parts) for _ in range(rng.randrange(1, 5)))
            return b"".join(masked(opcode, payload[:20], first) for opcode, first in chosen)
        case 3:  # without a mask
            return bytes([0x81, min(len(payload), 125)]) + payload[:125]
        case 4:  # announces more than comes
            sizes = (2**16, 2**31, 2**62, 2**63, 2**64 - 1)
            return bytes([0x81, 0xFF]) + struct.pack("!Q", rng.choice(sizes)) + payload
        case 5:
            return rng.randbytes(rng.randrange(1, 60))
        case _:
            return masked(rng.choice((1, 1, 1, 2)), payload)
