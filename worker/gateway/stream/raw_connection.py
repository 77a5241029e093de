"""Requests whose answer's body is read by the caller itself, from the connection.

It knows how requests, urllib3 and http.client stand on each other, not what comes.
"""

import http.client
import ssl
from dataclasses import dataclass
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from shared.errors import StreamBroken
from worker.gateway.stream.http_body import Body, Chunked, Sized, UntilClosed


class _Head(http.client.HTTPResponse):
    """A response that keeps its socket."""

    def __init__(self, sock: Any, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.sock = sock


class _Connection(HTTPConnection):
    response_class = _Head


class _TlsConnection(HTTPSConnection):
    response_class = _Head


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class Adapter(HTTPAdapter):
    """Of a session whose responses can be taken over."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """See HTTPAdapter."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}


@dataclass(frozen=True)
class RawResponse:
    """A response after its head. `begun`: bytes that came with the head."""

    sock: Any  # a socket, plain or TLS, that does not block
    begun: bytes
    body: Body


def take_over(response: requests.Response) -> RawResponse:
    """The connection of a response that was asked for with `stream=True` by an `Adapter`.

    The caller reads it, and closes the response when it is done; the connection ends then.
    Raises StreamBroken for a body that is encoded, which nobody asked for.
    """
    if response.headers.get("Content-Encoding", "identity") != "identity":
        response.close()
        raise StreamBroken("stream: it is compressed")
    head = response.raw._original_response
    assert isinstance(head, _Head)
    head.sock.setblocking(False)
    return RawResponse(head.sock, _begun(head), _body(head))


def _begun(head: _Head) -> bytes:
    try:
        begun: bytes = head.fp.peek()
    except ssl.SSLWantReadError:
        return b""
    if isinstance(head.sock, ssl.SSLSocket) and (left := head.sock.pending()):
        begun += head.sock.recv(left)  # deciphered with it: no selector would see that
    return begun


def _body(head: _Head) -> Body:
    if head.chunked:
        return Chunked()
    return UntilClosed() if head.length is None else Sized(head.length)
