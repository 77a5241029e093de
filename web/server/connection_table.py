"""The open connections of a process, and which of them must leave so that others can come in.

Problem: anybody can open connections without a token and do nothing with them, until the process
has no files or memory left for those who have one. A limit that refuses newcomers does not help:
who holds all places keeps everybody else out.

Idea: a connection is unauthenticated until something that came over it was authenticated. Such
connections have a budget of their own, in all and per network address, and each of their steps has
a deadline. When the budget is used up, the oldest one is cut, idle ones first: an honest client
needs its place only for the milliseconds until its token is checked.

Invariant: at most `unauthenticated` connections are not authenticated, at most
`unauthenticated_per_address` of them from one address, and there are at most `connections` in all.
"""

import ipaddress
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class ConnectionLimits:
    """Counts of connections."""

    connections: int
    unauthenticated: int
    unauthenticated_per_address: int


class ClientConnection:
    """One connection. Its methods may be called after it has ended."""

    __slots__ = (
        "_answered",
        "_cut",
        "_has_left",
        "_table",
        "address",
        "is_authenticated",
        "is_busy",
        "is_handed_over",
    )

    def __init__(
        self,
        table: "ConnectionTable",
        address: str,
        cut: Callable[[], None],
        has_left: Callable[[], bool],
    ) -> None:
        self._table = table
        self._cut = cut
        self._has_left = has_left
        self.address = address
        self.is_authenticated = False
        self.is_busy = False  # a request of it is being answered
        self.is_handed_over = False  # the HTTP server is done with it
        self._answered: Callable[[], None] = _nothing

    def within(self, seconds: float | None) -> None:
        """The next step must come within that time, or the connection is cut. None: no limit."""
        self._table.set_deadline(self, seconds)

    def mark_authenticated(self) -> None:
        """Something that came over the connection was authenticated."""
        self._table.mark_authenticated(self)

    def hand_over(self, cut: Callable[[], None]) -> None:
        """From now on somebody else has the connection, and cuts it like this."""
        self._cut = cut
        self.is_handed_over = True

    def when_answered(self, call: Callable[[], None]) -> None:
        """Call this once the answer to the present request was sent, or never will be."""
        self._answered = call

    def answered(self) -> None:
        """That is so."""
        call, self._answered = self._answered, _nothing
        call()

    def cut(self) -> None:
        """End the connection now. It must not wait."""
        self._cut()

    def has_left(self) -> bool:
        """Whether the client has closed its side: it will send nothing more, and most often reads
        nothing more either. Does not wait."""
        return self._has_left()

    def remove(self) -> None:
        """The connection is over."""
        self._table.remove(self)


def _nothing() -> None:
    pass


class ConnectionTable:
    """All methods are called by green threads of one process, which do not interrupt them."""

    def __init__(
        self, limits: ConnectionLimits, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`clock`: monotonic seconds."""
        self.limits = limits
        self.cut_for_room = 0  # unauthenticated ones that were cut for newcomers, so far
        self.cut_late = 0  # connections that missed a deadline, so far
        self._clock = clock
        self._inside: set[ClientConnection] = set()
        self._unauthenticated: dict[ClientConnection, None] = {}  # the oldest first
        self._by_address: dict[str, dict[ClientConnection, None]] = {}  # the same by address
        self._deadlines: dict[ClientConnection, float] = {}

    def admit(
        self,
        address: str,
        cut: Callable[[], None],
        has_left: Callable[[], bool] = lambda: False,
    ) -> ClientConnection | None:
        """Add a connection from this network address; None if there are too many in all."""
        if len(self._inside) >= self.limits.connections and not self.make_room():
            return None
        connection = ClientConnection(self, network_of(address), cut, has_left)
        mine = self._by_address.get(connection.address, {})
        if len(mine) >= self.limits.unauthenticated_per_address:
            self._cut_for_room(_first_to_leave(mine))
        elif len(self._unauthenticated) >= self.limits.unauthenticated:
            self.make_room()
        self._inside.add(connection)
        self._unauthenticated[connection] = None
        self._by_address.setdefault(connection.address, {})[connection] = None
        return connection

    def make_room(self) -> bool:
        """Cut the oldest unauthenticated connection; False if there is none."""
        if not self._unauthenticated:
            return False
        self._cut_for_room(_first_to_leave(self._unauthenticated))
        return True

    def cut_overdue(self) -> None:
        """Cut the connections whose deadline is over. To be called every second or so."""
        now = self._clock()
        for connection in [connection for connection, at in self._deadlines.items() if at <= now]:
            self.cut_late += 1
            self.remove(connection)
            connection.cut()

    def __len__(self) -> int:
        return len(self._inside)

    def is_answering(self) -> bool:
        """Whether a request is being answered, one that became a WebSocket aside."""
        return any(one.is_busy and not one.is_handed_over for one in self._inside)

    def unauthenticated(self) -> int:
        """How many connections are not authenticated."""
        return len(self._unauthenticated)

    # -- of the connections -----------------------------------------------------------------------

    def set_deadline(self, connection: ClientConnection, seconds: float | None) -> None:
        """See `ClientConnection.within`."""
        if seconds is None or connection not in self._inside:
            self._deadlines.pop(connection, None)
        else:
            self._deadlines[connection] = self._clock() + seconds

    def mark_authenticated(self, connection: ClientConnection) -> None:
        """See `ClientConnection.mark_authenticated`."""
        connection.is_authenticated = True
        self._forget_unauthenticated(connection)

    def remove(self, connection: ClientConnection) -> None:
        """See `ClientConnection.remove`."""
        self._inside.discard(connection)
        self._deadlines.pop(connection, None)
        self._forget_unauthenticated(connection)

    def _cut_for_room(self, connection: ClientConnection) -> None:
        self.cut_for_room += 1
        self.remove(connection)
        connection.cut()

    def _forget_unauthenticated(self, connection: ClientConnection) -> None:
        self._unauthenticated.pop(connection, None)
        mine = self._by_address.get(connection.address)
        if mine is not None:
            mine.pop(connection, None)
            if not mine:
                del self._by_address[connection.address]


def _first_to_leave(candidates: Mapping[ClientConnection, None]) -> ClientConnection:
    """The oldest that waits for a request; if none does, the oldest."""
    return next(
        (connection for connection in candidates if not connection.is_busy), next(iter(candidates))
    )


def network_of(address: str) -> str:
    """What one person has of addresses: an IPv4 address, or the first 64 bits of an IPv6 one."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 4:
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))
