"""Adds what searches need to rows that do not have it, a little at a time.

These are the answers of runs that have just ended, and the rows from before a search existed. The
job comes every two seconds; without work it only looks. Several processes may do it at once, and
one of them never does it twice at the same time.
"""

import logging
import threading
from time import monotonic, sleep

from sqlalchemy.exc import DBAPIError

from shared.db.search import index
from shared.errors import Unavailable
from worker.services import Services

log = logging.getLogger(__name__)

FOR = 30.0  # seconds of one call; the next one goes on
SETTLE_EVERY = 60.0  # seconds


class SearchIndex:
    """The job of one process."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._running = threading.Lock()
        self._settled_at = monotonic()

    def tick(self) -> None:
        """Add what is missing, unless another call is about to. Raises nothing."""
        if not self._running.acquire(blocking=False):
            return
        try:
            self._add()
        except Unavailable as error:
            log.warning("search_index.waiting error=%s", type(error).__name__)
        except Exception:  # the edge of the job
            log.exception("search_index.failed")
        finally:
            self._running.release()

    def _add(self) -> None:
        if self._services.db.read(index.lacks_terms):
            add_search_terms(self._services)
        if monotonic() - self._settled_at >= SETTLE_EVERY:
            self._settled_at = monotonic()
            settle(self._services)


def add_search_terms(services: Services, within: float = FOR) -> int:
    """Add terms to rows without, until there are none or the time is over; return how many rows
    there were. Then put new terms into the index for good. Does not raise Unavailable."""
    try:
        done = _add(services, monotonic() + within)
    except Unavailable as error:
        log.warning("search_index.waiting error=%s", type(error).__name__)
        return 0
    if done > index.BATCH:  # fewer are there all the time
        log.info("search_index.added rows=%s", done)
    return done


def settle(services: Services) -> None:
    """Put new terms into the index for good. Raises Unavailable."""
    try:
        services.db.write(index.settle)
    except DBAPIError as error:  # an account that does not own the index; PostgreSQL does it later
        log.info("search_index.not_settled error=%s", error)


def _add(services: Services, deadline: float) -> int:
    done = 0
    while monotonic() < deadline:
        began = monotonic()
        some = _add_some(services)
        if not some:
            break
        done += some
        sleep(min(1.0, monotonic() - began))  # others want to write, too
    return done


def _add_some(services: Services) -> int:
    """One transaction. A row that cannot be indexed is given up, so that it stops no others."""
    try:
        return services.db.write(index.index_some)
    except Unavailable:
        raise
    except Exception:  # the edge of the job
        log.exception("search_index.failed")
        return _one_by_one(services)


def _one_by_one(services: Services) -> int:
    for done in range(index.BATCH):
        try:
            if not services.db.write(lambda tx: index.index_some(tx, 1)):
                return done
        except Unavailable:
            raise
        except Exception:  # the edge of one row
            log.exception("search_index.row_skipped")
            services.db.write(lambda tx: index.skip_some(tx, 1))
    return index.BATCH
