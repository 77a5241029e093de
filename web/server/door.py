"""Who is connected, and who must leave so that others can come in. Pure but for what it cuts.

The problem: anybody can open connections without a token and do nothing with them, until the
process has no files or memory left for those who have one. Limits that refuse newcomers do not
help: who holds all places keeps everybody else out.

The idea: a connection is a *stranger* until something that came over it was authenticated.
Strangers have a budget of their own, in all and per network address, and each of their steps has a
deadline. When the budget is used up, the stranger that has been there longest is cut, idle ones
first: an honest client needs its place for the milliseconds until its token is checked.

The invariant: at most `strangers` connections are not authenticated, at most
`strangers_per_address` of one address, and at most `connections` there are in all.
"""

import ipaddress
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class DoorLimits:
    """Counts of connections."""

    connections: int
    strangers: int
    strangers_per_address: int


class Guest:
    """One connection. Its methods may be called after it has left."""

    __slots__ = ("_cut", "_door", "address", "is_busy", "is_known")

    def __init__(self, door: "Door", address: str, cut: Callable[[], None]) -> None:
        self._door = door
        self._cut = cut
        self.address = address
        self.is_known = False
        self.is_busy = False  # a request of it is being answered

    def within(self, seconds: float | None) -> None:
        """The next step must come within that time, or the connection is cut. None: no limit."""
        self._door.set_deadline(self, seconds)

    def welcome(self) -> None:
        """Something that came over the connection was authenticated."""
        self._door.make_known(self)

    def pass_on(self, cut: Callable[[], None]) -> None:
        """From now on somebody else has the connection, and cuts it like this."""
        self._cut = cut

    def cut(self) -> None:
        """End the connection now. It must not wait."""
        self._cut()

    def leave(self) -> None:
        """The connection is over."""
        self._door.remove(self)


class Door:
    """All methods are called by green threads of one process, which do not interrupt them."""

    def __init__(self, limits: DoorLimits, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock`: monotonic seconds."""
        self.limits = limits
        self.cut_for_room = 0  # strangers that left for others, so far
        self.cut_late = 0  # connections that missed a deadline, so far
        self._clock = clock
        self._inside: set[Guest] = set()
        self._strangers: dict[Guest, None] = {}  # the oldest first
        self._by_address: dict[str, dict[Guest, None]] = {}  # strangers, the oldest first
        self._deadlines: dict[Guest, float] = {}

    def enter(self, address: str, cut: Callable[[], None]) -> Guest | None:
        """A connection from this network address; None if there are too many in all."""
        if len(self._inside) >= self.limits.connections and not self.make_room():
            return None
        guest = Guest(self, network_of(address), cut)
        mine = self._by_address.get(guest.address, {})
        if len(mine) >= self.limits.strangers_per_address:
            self._cut_for_room(_first_to_leave(mine))
        elif len(self._strangers) >= self.limits.strangers:
            self.make_room()
        self._inside.add(guest)
        self._strangers[guest] = None
        self._by_address.setdefault(guest.address, {})[guest] = None
        return guest

    def make_room(self) -> bool:
        """Cut the stranger that has been there longest; False if there is none."""
        if not self._strangers:
            return False
        self._cut_for_room(_first_to_leave(self._strangers))
        return True

    def cut_overdue(self) -> None:
        """Cut the connections whose deadline is over. To be called every second or so."""
        now = self._clock()
        for guest in [guest for guest, at in self._deadlines.items() if at <= now]:
            self.cut_late += 1
            self.remove(guest)
            guest.cut()

    def __len__(self) -> int:
        return len(self._inside)

    def strangers(self) -> int:
        """How many connections are not authenticated."""
        return len(self._strangers)

    # -- of the guests -----------------------------------------------------------------------

    def set_deadline(self, guest: Guest, seconds: float | None) -> None:
        """See `Guest.within`."""
        if seconds is None or guest not in self._inside:
            self._deadlines.pop(guest, None)
        else:
            self._deadlines[guest] = self._clock() + seconds

    def make_known(self, guest: Guest) -> None:
        """See `Guest.welcome`."""
        guest.is_known = True
        self._forget_stranger(guest)

    def remove(self, guest: Guest) -> None:
        """See `Guest.leave`."""
        self._inside.discard(guest)
        self._deadlines.pop(guest, None)
        self._forget_stranger(guest)

    def _cut_for_room(self, guest: Guest) -> None:
        self.cut_for_room += 1
        self.remove(guest)
        guest.cut()

    def _forget_stranger(self, guest: Guest) -> None:
        self._strangers.pop(guest, None)
        mine = self._by_address.get(guest.address)
        if mine is not None:
            mine.pop(guest, None)
            if not mine:
                del self._by_address[guest.address]


def _first_to_leave(strangers: Mapping[Guest, None]) -> Guest:
    """The oldest that waits for a request; if none does, the oldest."""
    return next((guest for guest in strangers if not guest.is_busy), next(iter(strangers)))


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
