"""The stage of the chaos tests with a proxy between the browsers and the web processes."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from deploy.local.ports import LOOPBACK
from tests.chaos.faults.base import Fault
from tests.chaos.stage import Stage
from tests.support.servers.tcp_proxy import TcpProxy


class WatchedStage(Stage):
    """`page_url`: where browsers go. `looks`: how often everybody has looked at the page again."""

    def __init__(self, *, postgres: bool = False) -> None:
        super().__init__(postgres=postgres, web=2, workers=2, lease=4.0)
        self.proxy = TcpProxy(self.port)
        self.page_url = f"http://{LOOPBACK}:{self.proxy.port}"
        self.looks = 0

    def end(self, *, keep: bool) -> Path | None:
        self.proxy.stop()
        return super().end(keep=keep)


class Faults:
    """Lets faults happen one after another, in a thread, until it is stopped."""

    def __init__(self, stage: WatchedStage, drawn: Iterator[tuple[float, Fault]]) -> None:
        self.done: Counter[str] = Counter()
        self.problems: list[str] = []
        self._stage = stage
        self._drawn = drawn
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="faults")

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Return when the last fault is over."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        for pause, fault in self._drawn:
            if self._over.wait(pause):
                return
            try:
                fault.inject(self._stage)
                self._over.wait(fault.hold)
                fault.heal(self._stage)
            except Exception as error:  # noqa: BLE001
                self.problems.append(f"{fault.name}: {type(error).__name__}: {error}")
            self.done[fault.name] += 1
