"""Sends one GET and gives the caller the response's socket, to read the body from it.

Problem: HTTP libraries read bodies themselves, blocking, so each open stream would need a thread.
Idea: `http.client` makes a connection for this request alone and reads the head of the response.
After that it is used no more: the caller gets the socket, non-blocking, the bytes of the body that
arrived together with the head, and the decoder for the body's framing.
Invariant: no byte of the body is lost between head and socket: neither what is in the buffer of
`http.client`, nor what TLS has decrypted, which a selector would not see.
"""

import http.client
import ssl
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import requests

from shared.errors import StreamBroken
from shared.net.cut_after import cut_after
from shared.net.tls import Verify, tls_context
from worker.gateway.stream.http_body import Body, Chunked, Sized, UntilClosed
from worker.gateway.stream.timed_response import Deadline, TimedResponse


@dataclass(frozen=True)
class RawResponse:
    """A response whose head was read. `close` ends its connection."""

    sock: Any  # a socket, plain or TLS
    head: http.client.HTTPResponse

    @property
    def content_type(self) -> str:
        """The header's value; "" without one."""
        return self.head.headers.get("Content-Type", "")

    def take_body(self) -> tuple[bytes, Body]:
        """Make the socket non-blocking; the bytes that came with the head, and the body's framing.

        Raises StreamBroken for a compressed body, which was not requested.
        """
        if self.head.headers.get("Content-Encoding", "identity") != "identity":
            raise StreamBroken("stream: it is compressed")
        self.sock.setblocking(False)
        return self._received(), self._framing()

    def _received(self) -> bytes:
        try:
            received: bytes = self.head.fp.peek()
        except ssl.SSLWantReadError:
            return b""
        if isinstance(self.sock, ssl.SSLSocket) and (pending := self.sock.pending()):
            received += self.sock.recv(pending)  # decrypted already: no selector would see it
        return received

    def _framing(self) -> Body:
        if self.head.chunked:
            return Chunked()
        return UntilClosed() if self.head.length is None else Sized(self.head.length)

    def close(self) -> None:
        """End the connection. Safe to call twice."""
        self.head.close()
        self.sock.close()


def get(
    request: requests.PreparedRequest,
    *,
    verify: Verify,
    connect_timeout: float,
    head_timeout: float,
) -> RawResponse:
    """Send a GET over a connection of its own; the response of any status, redirects included.

    `verify`: True for the certificates that requests trusts, a path for others, False for none.
    Timeouts are in seconds: to connect (with TLS), and until the whole head is there. No proxy is
    used. Raises StreamBroken when there is no valid answer.
    """
    try:
        connection = _connect(str(request.url), verify, connect_timeout)
        try:
            sock = connection.sock
            sock.settimeout(head_timeout)
            deadline = Deadline(head_timeout)
            vars(connection)["response_class"] = partial(TimedResponse, deadline)
            connection.request("GET", request.path_url, headers=dict(request.headers))
            response = RawResponse(sock, connection.getresponse())
            deadline.at = None  # the body may take as long as the run
            return response
        except BaseException:
            connection.close()
            raise
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise StreamBroken(f"stream: {named(error)}") from error


def named(error: BaseException) -> str:
    """The kind of an error, and of one of TLS what is wrong."""
    reason = getattr(error, "verify_message", None) or getattr(error, "reason", None)
    is_tls = isinstance(error, ssl.SSLError) and isinstance(reason, str)
    return f"{type(error).__name__}: {reason}" if is_tls else type(error).__name__


def _connect(url: str, verify: Verify, timeout: float) -> http.client.HTTPConnection:
    address = urlsplit(url)
    connection = (
        _TlsConnection(address.hostname or "", address.port, tls_context(verify), timeout)
        if address.scheme == "https"
        else http.client.HTTPConnection(address.hostname or "", address.port, timeout=timeout)
    )
    try:
        connection.connect()
    except BaseException:
        connection.close()
        raise
    return connection


class _TlsConnection(http.client.HTTPConnection):
    """A connection with TLS, whose handshake has a total time."""

    default_port = http.client.HTTPS_PORT

    def __init__(
        self, host: str, port: int | None, context: ssl.SSLContext, seconds: float
    ) -> None:
        super().__init__(host, port, timeout=seconds)
        self._context = context
        self._seconds = seconds

    def connect(self) -> None:
        super().connect()
        with cut_after(self.sock, self._seconds):
            self.sock = self._context.wrap_socket(self.sock, server_hostname=self.host)
