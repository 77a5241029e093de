"""Random HTTP requests, valid and not (RFC 9112)."""

from __future__ import annotations

from random import Random

from tests.fuzz import packets, values

METHODS = ("GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE", "CONNECT", "get", "G\0T", "")
PATHS = (
    "/", "/socket.io/", "/socket.io", "/socket.io/?EIO=4&transport=polling",
    "/socket.io/?EIO=4&transport=websocket", "/socket.io/?EIO=3&transport=polling",
    "/socket.io/?EIO=4&transport=polling&sid=nobody", "/socket.io/?EIO=4&transport=%00", "/runs",
    "/runs?profile=", "/auth/session", "/auth/session", "/healthz", "/readyz",
    "/%2e%2e/%2e%2e/etc/passwd", "//a//b",
    "/" + "a" * 9000,
    "http://elsewhere/healthz", "*", "/\xff\xfe", "",
)  # fmt: skip
HEADERS = (
    "Host: a", "Host: a", "Host:", "Host: a\r\nHost: b", "Content-Length: 0", "Content-Length: 5",
    "Content-Length: -1", "Content-Length: +5", "Content-Length: 5, 5", "Content-Length: 99999999",
    "Content-Length: 1_0", "Content-Length: \u0665", "Content-Length: 5\r\nContent-Length: 6",
    "Transfer-Encoding: chunked", "Transfer-Encoding: chunked, chunked", "Transfer-Encoding: gzip",
    "Upgrade: websocket", "Connection: Upgrade", "Connection: close", "Connection: keep-alive",
    "Sec-WebSocket-Key: x", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 99",
    "Expect: 100-continue", "Authorization: Bearer token", "Authorization: Bearer wrong",
    "Authorization: Basic \xff", "Content-Type: application/json", "Origin: null", "Origin: http://a",
    "X: " + "y" * 9000, "no colon", ": empty", "A\0B: c", " folded: a", "Cookie: a=b; c",
    "Cookie: holdfast-hf=token",
    "Cookie: holdfast-hf=.eJw.x.y", "Sec-Fetch-Site: same-origin",
    "X-Forwarded-For: 1.2.3.4", "Accept-Encoding: gzip", "Range: bytes=0-",
)  # fmt: skip
BODIES = (b"", b"x", b"5\r\nhello\r\n0\r\n\r\n", b"fffffffff\r\n", b"-1\r\n", b"zz\r\n", b"0\r\n")


def request(rng: Random, token: str) -> bytes:
    """One request."""
    line = f"{rng.choice(METHODS)} {rng.choice(PATHS)} {rng.choice(VERSIONS)}"
    headers = rng.sample(HEADERS, rng.randrange(8))
    head = "\r\n".join((line, *headers)).replace("token", token)
    end = b"\r\n\r\n" if rng.random() < 0.9 else rng.choice((b"\n\n", b"\r\n", b""))
    body = rng.choice((*BODIES, packets.payload(rng, token), values.text(rng)))
    whole = head.encode("utf-8", "surrogatepass") + end + body
    return values.damaged(rng, whole) if rng.random() < 0.3 else whole


VERSIONS = ("HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/9", "", "HTTP/1.1 x")
