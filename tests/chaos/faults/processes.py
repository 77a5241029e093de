"""Processes are killed, frozen, terminated."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, ClassVar

from tests.chaos.faults.base import Fault

if TYPE_CHECKING:
    from tests.chaos.stage import Stage
    from tests.support.servers.processes import RunningProcess

LEAVING = 70.0  # seconds: longer than the stage's drain


class _Ended(Fault):
    """The process ends somehow; after `hold` a supervisor starts it again."""

    role: ClassVar[str]
    how: ClassVar[int] = signal.SIGKILL

    def inject(self, stage: Stage) -> None:
        self.slot, self.process = stage.victim(self.role, self.number)
        self.detail = f"{self.process.name} pid {self.process.pid}"
        self.process.signal(self.how)
        if self.how == signal.SIGKILL:
            self.process.wait()

    def heal(self, stage: Stage) -> None:
        stage.restart(self.slot)


class WebKilled(_Ended):
    """SIGKILL; clients go to the other web process."""

    resource, role, weight = "web", "web", 6
    holds = (0.0, 1.5)


class WebTerminated(_Ended):
    """SIGTERM, as in a rolling deploy."""

    resource, role, how, weight = "web", "web", signal.SIGTERM, 4

    def heal(self, stage: Stage) -> None:
        stage.restart(self.slot)
        code = self.process.wait(within=LEAVING)
        assert code == 0, f"{self.process.name}: exit code {code} after SIGTERM"


class WebFrozen(Fault):
    """SIGSTOP: connections stay, nothing moves."""

    resource = "web"
    holds = (1.0, 4.0)

    def inject(self, stage: Stage) -> None:
        _, self.process = stage.victim("web", self.number)
        self.detail = self.process.name
        self.process.signal(signal.SIGSTOP)

    def heal(self, stage: Stage) -> None:
        self.process.signal(signal.SIGCONT)


class WorkerKilled(_Ended):
    """SIGKILL: its leases lapse, its runs are taken over."""

    resource, role, weight = "worker", "worker", 6
    holds = (0.0, 2.0)


class WorkerTerminated(_Ended):
    """SIGTERM with the next one started beside it: it reads its runs to their end."""

    resource, role, how, weight = "worker", "worker", signal.SIGTERM, 4

    def heal(self, stage: Stage) -> None:
        stage.restart(self.slot)
        code = self.process.wait(within=LEAVING)
        assert code == 0, f"{self.process.name}: exit code {code} after SIGTERM"


class WorkerFrozen(Fault):
    """SIGSTOP for longer than the lease: another worker takes over, then it wakes up."""

    resource = "worker"
    weight = 4
    share: ClassVar[float] = 1.7  # of the lease

    def inject(self, stage: Stage) -> None:
        _, self.process = stage.victim("worker", self.number)
        self.detail = self.process.name
        self.hold = self.share * stage.lease
        self.process.signal(signal.SIGSTOP)

    def heal(self, stage: Stage) -> None:
        self.process.signal(signal.SIGCONT)


class WorkerDazed(WorkerFrozen):
    """SIGSTOP for less than the lease: no other worker may take over."""

    weight = 2
    share = 0.4


class MaintenanceKilled(_Ended):
    """No reaper runs for a while."""

    resource, role, weight = "maintenance", "maintenance", 1
    holds = (0.5, 2.0)


class BeatKilled(_Ended):
    """No ticks for a while."""

    resource, role, weight = "beat", "beat", 1
    holds = (1.0, 4.0)


class BeatDoubled(Fault):
    """Two beats tick at once."""

    resource, weight = "beat", 1
    holds = (2.0, 4.0)

    def inject(self, stage: Stage) -> None:
        self.second: RunningProcess = stage.extra_beat()

    def heal(self, stage: Stage) -> None:
        self.second.stop()
