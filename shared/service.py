"""A loop in a thread of its own, with one life cycle for all of them.

Each long-lived loop of a process (relay, subscriber, publisher, lease watcher, …) is a `Service`:
it is started once, may be stopped twice, is joined when it stops, and its process can see whether
it still lives. The loop itself stays a plain function that looks at `wait` or `stopping`.
"""

import logging
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)

JOIN_WITHIN = 5.0  # seconds


class Service:
    """A named thread that runs until it is stopped."""

    def __init__(
        self,
        name: str,
        run: Callable[[], None],
        *,
        wake: Callable[[], None] = lambda: None,
        join_within: float = JOIN_WITHIN,
    ) -> None:
        """`run` returns soon after `stopping`. `wake` is called by `stop` when the loop waits for
        something else than `wait`. `join_within`: seconds for which `stop` waits for the thread."""
        self.name = name
        self._run = run
        self._wake = wake
        self._join_within = join_within
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin. A second call, or one after `stop`, does nothing."""
        with self._lock:
            if self._thread is not None or self._stop.is_set():
                return
            self._thread = threading.Thread(target=self._guarded, name=self.name, daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End, and wait for the thread. Safe before `start`, twice, and in the thread itself."""
        self._stop.set()
        self._wake()
        thread = self._thread
        if thread is None or thread is threading.current_thread():
            return
        thread.join(self._join_within)
        if thread.is_alive():
            log.warning("service.not_joined name=%s within=%.1f", self.name, self._join_within)

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stop.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait that long, or until `stop` is called; whether it was."""
        return self._stop.wait(seconds)

    @property
    def healthy(self) -> bool:
        """False when the thread ended though nobody stopped it. True before `start`."""
        return self.stopping or self._thread is None or self._thread.is_alive()

    def _guarded(self) -> None:
        try:
            self._run()
        except Exception:  # the edge of the thread: health shows that it is gone
            log.exception("service.crashed name=%s", self.name)


def periodic(name: str, work: Callable[[], None], every: float) -> Service:
    """A service that does `work` each `every` seconds, for the first time after one interval, and
    survives any error of it."""

    def run() -> None:
        while not service.wait(every):
            try:
                work()
            except Exception:  # the edge of the loop: the next round may go well
                log.exception("service.failed name=%s", name)

    service = Service(name, run)
    return service
