"""A reader of a session, and what waits for it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from web.access.principal import Principal
from web.readers.reader import Reader
from web.readers.replay import End
from web.readers.sessions.session_place import SessionPlace
from web.sockets.connections import Connection

UNPLACED_MOST: Final = 64


@dataclass(frozen=True)
class TurnEnd:
    """The end of a turn. `place`: that of the reader behind it."""

    run_id: str
    end: End
    place: SessionPlace


class Follower(Reader[SessionPlace, TurnEnd]):
    """`turns`: the turns of the runs that had begun at its last opening, by run. `unplaced`: other
    runs of which something came since, which may never have a turn."""

    def __init__(
        self,
        connection: Connection,
        session_id: str,
        principal: Principal,
        *,
        most_chunks: int,
        most_bytes: int,
        cut: Callable[[], None],
        has_left: Callable[[], bool] = lambda: False,
        rest: Callable[[], float] = lambda: 0.0,
    ) -> None:
        super().__init__(
            connection,
            principal,
            SessionPlace(),
            most_chunks=most_chunks,
            most_bytes=most_bytes,
            cut=cut,
            has_left=has_left,
            rest=rest,
        )
        self.session_id = session_id
        self.turns: dict[str, int] = {}
        self.unplaced: list[str] = []
        self.is_deleted = False

    @property
    def reads(self) -> str:
        """What it reads, for the log."""
        return "session"

    def lose_to(self, run_id: str) -> None:
        """Something of a run came that had not begun at the last opening."""
        if run_id not in self.unplaced and len(self.unplaced) < UNPLACED_MOST:
            self.unplaced.append(run_id)
        self.lose()

    def delete(self) -> None:
        """Its session was deleted: the stream ends, after what waits."""
        self.is_deleted = True
        self.close()
