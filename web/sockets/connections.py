"""What is known of each connected socket."""

from collections import Counter
from dataclasses import dataclass, field

from web.access.principal import Principal


@dataclass(eq=False)
class Connection:
    """One socket in our namespace, from its connect to its disconnect."""

    sid: str
    transport_id: str  # the Engine.IO connection below it
    owner: str
    profile: str
    receives_own_aborts: bool  # said protocol=2: goes on receiving runs that it aborted (P5)
    feeds: set[str] = field(default_factory=set)  # tags of the feeds it is a member of
    closed: bool = False
    principal: Principal | None = None  # by which it came in


class Connections:
    """The connected sockets of this process, by sid."""

    def __init__(self) -> None:
        self._by_sid: dict[str, Connection] = {}
        self._by_owner: Counter[str] = Counter()

    def add(self, connection: Connection) -> None:
        self._by_sid[connection.sid] = connection
        self._by_owner[connection.owner] += 1

    def get(self, sid: str) -> Connection | None:
        """The socket, unless it has disconnected."""
        return self._by_sid.get(sid)

    def remove(self, sid: str) -> Connection | None:
        """Drop the socket, which counts as closed from now on."""
        connection = self._by_sid.pop(sid, None)
        if connection is not None:
            connection.closed = True
            self._by_owner[connection.owner] -= 1
            if not self._by_owner[connection.owner]:
                del self._by_owner[connection.owner]
        return connection

    def of_owner(self, owner: str) -> int:
        """How many sockets of this owner are connected here."""
        return self._by_owner[owner]

    def all(self) -> list[Connection]:
        """The sockets that are connected now."""
        return list(self._by_sid.values())

    def __len__(self) -> int:
        return len(self._by_sid)
