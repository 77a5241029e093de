"""Has the ends of watched runs announced anew whose logs Redis lost (R27).

Problem: an end is announced once, and the database notes it. If Redis loses its data before the
relay has received or read that end, no log has it any more, and members would wait for ever.
Idea: a run that members watch, and that has no log, is either live, and its owner writes the log
anew, or has ended, and its end is still in the database: from there it is announced again.
Invariant: announcing again changes nothing where the log still has the end.
"""

import logging
import threading
from collections.abc import Callable, Sequence

from shared.errors import Unavailable

log = logging.getLogger(__name__)


class LostEnds:
    """One asks at a time; what could not be asked now is found again by the next gap check."""

    def __init__(self, announce_again: Callable[[Sequence[str]], None]) -> None:
        """`announce_again(run_ids)` announces the ends of those of these runs that have ended,
        also if that was done before. It may raise Unavailable."""
        self._announce_again = announce_again
        self._asking = False

    def ask_soon(self, run_ids: Sequence[str]) -> None:
        """Have it done by another thread, since the database may take its time."""
        if run_ids and not self._asking:
            self._asking = True
            threading.Thread(
                target=self._ask, args=(run_ids,), name="relay-lost-ends", daemon=True
            ).start()

    def _ask(self, run_ids: Sequence[str]) -> None:
        try:
            self._announce_again(run_ids)
        except Unavailable as error:
            log.info("relay.ends_not_announced code=%s", error.code)
        except Exception:  # the edge of a thread
            log.exception("relay.ends_not_announced")
        finally:
            self._asking = False
