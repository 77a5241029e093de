"""Sends a request to a gateway and reads its answer, within a total time and a size.

Problem: `requests` limits the time of each read and not that of an answer, holds a body of any
size, follows redirects (a POST as a GET), and does not tell whether a request was sent when there
is no answer. Idea: its adapter is called without the session around it, and the adapter's
connections send piece by piece and read through `TimedResponse`, under the deadline of the thread
that asks. Invariant: `ask` ends within its time, holds at most `most` bytes of a body, sends one
request to one address, and `NoAnswer.sent` is False only if no byte of it left.
"""

import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from shared.net.cut_after import cut_after
from worker.gateway.stream.raw_connection import named
from worker.gateway.stream.timed_response import Deadline, TimedResponse

PIECE = 65_536  # bytes sent or read at once
# Codes of OpenSSL: an authority that is not known, or none.
_UNKNOWN_AUTHORITY = frozenset({2, 18, 19, 20, 21})
# The handshake of TLS 1.3 ends with it after the request has left; it was not read then.
_WANTS_A_CERTIFICATE = frozenset({"TLSV13_ALERT_CERTIFICATE_REQUIRED"})
TRUST = "Name its authority with GATEWAY_CA_FILE, or with ca_file of the profile."


@dataclass(frozen=True)
class Answer:
    """A whole answer; the names of `headers` are in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class NoAnswer(Exception):
    """There is no answer. `sent`: the gateway may have got the request. `untrusted`: it did not,
    since one side has no certificate that the other one takes, as the message says."""

    def __init__(self, why: str, *, sent: bool, untrusted: bool = False) -> None:
        super().__init__(why)
        self.sent = sent
        self.untrusted = untrusted


class _Under(threading.local):
    """The exchange of a thread, for the connection that it is made with."""

    def __init__(self) -> None:
        self.deadline = Deadline()
        self.sent = False


class Exchanges:
    """Makes exchanges over connections that stay open between them; for any number of threads."""

    def __init__(self, session: requests.Session, connections: int) -> None:
        """`session` says which certificates to trust."""
        self._session = session
        self._under = _Under()
        adapter = _Adapter(self._under, connections)
        session.mount("http://", adapter)
        session.mount("https://", adapter)

    def ask(
        self,
        make: Callable[[], requests.PreparedRequest],
        *,
        connect: float,
        seconds: float,
        most: int,
    ) -> Answer:
        """The answer to the request that `make` prepares, a redirect like any other. `connect`,
        `seconds`: for the connection, and for everything. Raises NoAnswer, also for a request that
        cannot be prepared, and for a body of more than `most` bytes."""
        self._under.sent = False
        self._under.deadline.begin(seconds)
        try:
            request = make()
            adapter = self._session.get_adapter(str(request.url))
            with adapter.send(
                request,
                stream=True,
                timeout=(min(connect, seconds), seconds),
                verify=self._session.verify or False,
            ) as response:
                body = _body(response, most)
                return Answer(response.status_code, response.headers, body)
        except _TooLarge as error:
            raise NoAnswer(f"the answer has more than {most} bytes", sent=True) from error
        except (OSError, ValueError) as error:  # those of requests are among them
            raise _no_answer(error, sent=self._under.sent) from error


class _TooLarge(Exception):
    """The body is larger than it may be."""


def _body(response: requests.Response, most: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    for piece in response.iter_content(PIECE):
        size += len(piece)
        if size > most:
            raise _TooLarge
        pieces.append(piece)
    return b"".join(pieces)


def _no_answer(error: Exception, *, sent: bool) -> NoAnswer:
    tls = [one for one in _causes(error) if isinstance(one, ssl.SSLError)]
    refused = next((one for one in tls if isinstance(one, ssl.SSLCertVerificationError)), None)
    if refused is not None:
        return NoAnswer(_untrusted(refused), sent=False, untrusted=True)
    if any(one.reason in _WANTS_A_CERTIFICATE for one in tls):
        return NoAnswer("the gateway wants a client certificate", sent=False, untrusted=True)
    is_tls = bool(tls) and isinstance(error, requests.exceptions.SSLError)
    return NoAnswer(named(tls[0] if is_tls else error), sent=sent)


def _untrusted(error: ssl.SSLCertVerificationError) -> str:
    """What is wrong with the gateway's certificate, and what to do about it."""
    why = f"the gateway's certificate is not trusted ({error.verify_message.rstrip('.')})."
    return f"{why} {TRUST}" if error.verify_code in _UNKNOWN_AUTHORITY else why


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it wraps, in whatever way libraries do that."""
    waiting: list[Any] = [error]
    for _ in range(20):
        if not waiting:
            return
        found = waiting.pop(0)
        yield found
        wrapped = (found.__cause__, found.__context__, getattr(found, "reason", None), *found.args)
        waiting += [one for one in wrapped if isinstance(one, BaseException)]


# -- connections ---------------------------------------------------------------------------------


class _Timed:
    """What both kinds of connections do: send and read under the deadline of their thread."""

    under: _Under
    sock: Any
    auto_open: int

    def send(self, data: Any) -> None:
        if self.sock is None and self.auto_open:
            self.connect()
        self.under.sent = True
        rest = memoryview(data)
        while rest:
            self.under.deadline.limit(self.sock)
            rest = rest[self.sock.send(rest[:PIECE]) :]

    def getresponse(self) -> Any:
        deadline = self.under.deadline
        vars(self)["response_class"] = partial(TimedResponse, deadline)
        return super().getresponse()  # type: ignore[misc]

    def connect(self) -> None:
        with ExitStack() as self._shaking_hands:
            super().connect()  # type: ignore[misc]

    def _new_conn(self) -> Any:
        sock = super()._new_conn()  # type: ignore[misc]
        self._shaking_hands.enter_context(cut_after(sock, sock.gettimeout() or 0.0))
        return sock


class _Adapter(HTTPAdapter):
    """Makes connections of our kinds."""

    def __init__(self, under: _Under, connections: int) -> None:
        self._under = under
        super().__init__(pool_connections=4, pool_maxsize=connections, max_retries=0)

    def init_poolmanager(self, *args: Any, **named: Any) -> None:
        super().init_poolmanager(*args, **named)
        under = {"under": self._under}
        plain = type("TimedConnection", (_Timed, HTTPConnection), under)
        tls = type("TimedTlsConnection", (_Timed, HTTPSConnection), under)
        self.poolmanager.pool_classes_by_scheme = {
            "http": type("TimedPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
            "https": type("TimedTlsPool", (HTTPSConnectionPool,), {"ConnectionCls": tls}),
        }
