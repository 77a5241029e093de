"""What a stranger, or a user with bad intentions, does to a web process on loopback.

Each attack opens what it needs, keeps it until `release`, and is bounded in count and time.
"""

from __future__ import annotations

import base64
import contextlib
import os
import re
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

Address = tuple[str, int]

POLLING: Final = "/socket.io/?EIO=4&transport=polling"
WEBSOCKET: Final = "/socket.io/?EIO=4&transport=websocket"
CONNECT: Final = b'40/chat-run,{"token":"%s"}'


@dataclass
class Attack:
    """Sockets that are held, and what was refused."""

    address: Address
    token: str = ""  # of a user, for the attacks that need one
    held: list[socket.socket] = field(default_factory=list)
    refused: int = 0
    _stopping: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def connect(self, timeout: float = 5.0) -> socket.socket | None:
        """One connection; None if it is refused."""
        try:
            return socket.create_connection(self.address, timeout=timeout)
        except OSError:
            self.refused += 1
            return None

    def hold(self, sock: socket.socket | None) -> None:
        """Keep it open until `release`."""
        if sock is not None:
            self.held.append(sock)

    def go_on(self, work: Callable[[], None]) -> None:
        """Do it again and again, in a thread, until `release`."""

        def run() -> None:
            while not self._stopping.is_set():
                try:
                    work()
                except OSError:
                    self.refused += 1
                    time.sleep(0.05)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        self._threads.append(thread)

    def release(self) -> None:
        """End it and close everything."""
        self._stopping.set()
        for sock in self.held:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        for thread in self._threads:
            thread.join(10)


def idle_connections(attack: Attack, count: int) -> None:
    """A1: TCP connections that send nothing."""
    for _ in range(count):
        attack.hold(attack.connect())


def unfinished_headers(attack: Attack, count: int) -> None:
    """A4: headers that come one byte every few seconds."""
    for _ in range(count):
        sock = attack.connect()
        if sock is not None:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ")
            attack.hold(sock)

    def drip() -> None:
        for sock in list(attack.held):
            with contextlib.suppress(OSError):
                sock.sendall(b"a")
        time.sleep(4)

    attack.go_on(drip)


def polling_post(attack: Attack, body: bytes) -> bool:
    """A2: a polling handshake, then one POST. Whether the POST was answered within 3 s; if not,
    its connection is kept."""
    sid = polling_sid(attack)
    sock = attack.connect()
    if sid is None or sock is None:
        return True
    head = f"POST {POLLING}&sid={sid} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n"
    try:
        sock.sendall(head.encode() + body)
        sock.settimeout(3.0)
        answered = bool(sock.recv(1000))
    except TimeoutError:
        answered = False
    except OSError:
        answered = True
    if answered:
        sock.close()
    else:
        attack.hold(sock)
    return answered


def unanswered_posts(attack: Attack, count: int, body: bytes = b"6") -> None:
    """A2, many times, without waiting for answers."""
    for _ in range(count):
        sid = polling_sid(attack)
        sock = attack.connect()
        if sid is None or sock is None:
            continue
        head = (
            f"POST {POLLING}&sid={sid} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        with contextlib.suppress(OSError):
            sock.sendall(head.encode() + body)
        attack.hold(sock)


def polling_sid(attack: Attack) -> str | None:
    """The session id of a polling handshake."""
    sock = attack.connect()
    if sock is None:
        return None
    with sock:
        try:
            sock.sendall(f"GET {POLLING} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
            answer = b""
            while piece := sock.recv(4096):
                answer += piece
        except OSError:
            return None
    found = re.search(rb'"sid":"([^"]+)"', answer)
    return found[1].decode() if found else None


def websocket(attack: Attack, path: str = WEBSOCKET) -> socket.socket | None:
    """A WebSocket after its handshake, without a CONNECT."""
    sock = attack.connect()
    if sock is None:
        return None
    key = base64.b64encode(os.urandom(16)).decode()
    try:
        sock.sendall(
            (
                f"GET {path} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
            ).encode()
        )
        if b" 101 " not in sock.recv(4096):
            raise OSError("refused")
    except OSError:
        attack.refused += 1
        sock.close()
        return None
    return sock


def frame(opcode: int, payload: bytes) -> bytes:
    """A masked frame of a client; the mask is zero."""
    size = len(payload)
    head = bytes([0x80 | opcode])
    if size <= 125:
        head += bytes([0x80 | size])
    elif size <= 0xFFFF:
        head += bytes([0x80 | 126]) + struct.pack("!H", size)
    else:
        head += bytes([0x80 | 127]) + struct.pack("!Q", size)
    return head + b"\0\0\0\0" + payload


def silent_websockets(attack: Attack, count: int) -> None:
    """A4: WebSockets that never send CONNECT."""
    for _ in range(count):
        attack.hold(websocket(attack))


def wrong_tokens(attack: Attack, count: int) -> None:
    """A4: WebSockets with a wrong token that stay after the refusal."""
    for _ in range(count):
        sock = websocket(attack)
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.sendall(frame(1, CONNECT % b"wrong"))
            attack.hold(sock)


def ping_flood(attack: Attack, megabytes: int) -> None:
    """A3: pings whose pongs are never read."""
    sock = websocket(attack)
    if sock is None:
        return
    attack.hold(sock)
    pings = frame(9, b"x" * 125) * 8000
    sent = 0

    def flood() -> None:
        nonlocal sent
        if sent > megabytes * 1_000_000:
            time.sleep(0.1)
            return
        sock.settimeout(1.0)
        try:
            sent += sock.send(pings)
        except TimeoutError:
            return

    attack.go_on(flood)


def malformed_packets(attack: Attack, count: int) -> None:
    """A5: packets that are none, on connections that are opened anew when they are closed."""
    junk = (b"4", b"42", b'42["', b"4{", b"9", b"45-", b'451-["a",{"_placeholder":true}]', b"40{")
    sent = 0
    sock: socket.socket | None = None
    while sent < count:
        sock = sock or websocket(attack)
        if sock is None:
            return
        try:
            sock.sendall(frame(1, junk[sent % len(junk)]))
        except OSError:
            sock.close()
            sock = None
        sent += 1
    if sock is not None:
        attack.hold(sock)


def unread_resumes(attack: Attack, count: int) -> None:
    """A7: a user asks to resume a session of 11 MB and never reads."""
    session_id = long_session(attack)
    sock = websocket(attack)
    if sock is None:
        return
    attack.hold(sock)
    sock.sendall(frame(1, CONNECT % attack.token.encode()))
    time.sleep(0.5)
    for number in range(count):
        body = f'42/chat-run,{number}["resume",{{"session_id":"{session_id}"}}]'
        with contextlib.suppress(OSError):
            sock.sendall(frame(1, body.encode()))
    time.sleep(5)


def unfetched_resumes(attack: Attack, count: int) -> None:
    """A7 over polling: the POSTs ask, and no GET fetches."""
    session_id = long_session(attack)
    sid = polling_sid(attack)
    post(attack, f"{POLLING}&sid={sid}", CONNECT % attack.token.encode())
    time.sleep(0.5)
    asked = b'42/chat-run,1["resume",{"session_id":"%s"}]' % session_id.encode()
    for _ in range(count):
        post(attack, f"{POLLING}&sid={sid}", asked)
    time.sleep(5)


def long_session(attack: Attack) -> str:
    """A session with two inputs of 5.5 MB, whose runs have ended."""
    text = b"x" * 5_500_000
    for _ in range(2):
        body = b'{"session_id":"long","input":"%s"}' % text
        post(attack, "/runs", body, f"Authorization: Bearer {attack.token}\r\n")
        time.sleep(4)
    return "long"


def post(attack: Attack, path: str, body: bytes, more: str = "") -> None:
    """One POST, whatever comes of it."""
    sock = attack.connect(30.0)
    if sock is None:
        return
    head = (
        f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n{more}"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    with sock, contextlib.suppress(OSError):
        sock.sendall(head.encode() + body)
        sock.recv(1000)


def handshakes(attack: Attack, clients: int) -> None:
    """A4: strangers who begin again and again, and never send CONNECT."""

    def begin() -> None:
        if polling_sid(attack) is None:
            time.sleep(0.05)

    for _ in range(clients):
        attack.go_on(begin)
    time.sleep(3)


def stranger_fragments(attack: Attack, count: int) -> None:
    """A4: WebSockets that send 900 KB of a message that never ends, before any token."""
    begun = bytearray(frame(1, b"4" + b"x" * 900_000))
    begun[0] &= 0x7F  # more fragments follow
    for _ in range(count):
        sock = websocket(attack)
        if sock is not None:
            sock.settimeout(0.5)
            with contextlib.suppress(OSError):
                sock.sendall(begun)
            attack.hold(sock)


def frame_flood(attack: Attack, clients: int) -> None:
    """A3, A5: WebSockets of strangers that send small frames as fast as they can."""
    piece = frame(10, b"x") * 2000

    def flood() -> None:
        sock = websocket(attack)
        if sock is None:
            time.sleep(0.05)
            return
        sock.settimeout(1.0)
        with sock:
            while True:
                sock.sendall(piece)

    for _ in range(clients):
        attack.go_on(flood)
    time.sleep(3)
