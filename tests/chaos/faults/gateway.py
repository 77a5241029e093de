"""The gateway refuses, stalls, lies, dies."""

from __future__ import annotations

import os
import random
import signal
from typing import TYPE_CHECKING, Any, ClassVar

from tests.chaos.faults.base import Fault

if TYPE_CHECKING:
    from tests.chaos.stage import Stage

RATE = 30


class _OnRequests(Fault):
    """A fault of the demo gateway, which applies it to its next requests."""

    resource = "gateway"
    holds = (0.5, 2.5)
    asked: ClassVar[dict[str, Any]] = {}

    def inject(self, stage: Stage) -> None:
        stage.gateway.faults(**self.asked)

    def heal(self, stage: Stage) -> None:
        stage.gateway.clear_faults()


class Busy429(_OnRequests):
    """Its limit of runs is reached."""

    asked: ClassVar = {"post_status": 429, "retry_after": 1}


class Draining503(_OnRequests):
    """It takes no more runs just now."""

    asked: ClassVar = {"post_status": 503}


class GatewaySlow(_OnRequests):
    """Every answer is late."""

    asked: ClassVar = {"latency_ms": 700}


class StatusFails(_OnRequests):
    """The status of runs cannot be read."""

    asked: ClassVar = {"status_error": 500}


class SessionsFail(_OnRequests):
    """Transcripts cannot be read."""

    asked: ClassVar = {"sessions_error": 500}


class SessionsPoisoned(_OnRequests):
    """Transcripts are bodies of the wrong types, of great depth, or no JSON at all."""

    asked: ClassVar = {"sessions_poison": True}


class PostReset(_OnRequests):
    """One POST is read, its run begun, and the connection reset: an uncertain POST (R2)."""

    asked: ClassVar = {"post_reset": True, "accepted": True, "count": 1}


class PostLost(_OnRequests):
    """One POST is read and the connection reset, but no run has begun."""

    asked: ClassVar = {"post_reset": True, "accepted": False, "count": 1}


class PostLate(_OnRequests):
    """POSTs are answered seconds after their runs have begun."""

    asked: ClassVar = {"post_hang_seconds": 2, "count": 3}


class _OnStreams(Fault):
    """The next runs have a stream of their own making."""

    resource = "gateway"
    holds = (1.0, 3.0)

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self.tag = f"{self.name}{rng.randrange(10**6)}"
        self.script = {
            "text": f"{self.tag}.{{n}};",
            "tokens": 80,
            "rate": RATE,
            **self.accident(rng),
        }
        self.count = rng.randrange(1, 4)

    def accident(self, rng: random.Random) -> dict[str, Any]:
        """Fields of the script."""
        raise NotImplementedError

    def inject(self, stage: Stage) -> None:
        stage.gateway.faults(script=self.script, count=self.count)

    def heal(self, stage: Stage) -> None:
        stage.gateway.clear_faults()


class StreamCut(_OnStreams):
    """Closed between two events; the run goes on."""

    def accident(self, rng: random.Random) -> dict[str, Any]:
        return {"cut": rng.randrange(80)}


class StreamCutAtByte(_OnStreams):
    """Closed in the middle of a line."""

    def accident(self, rng: random.Random) -> dict[str, Any]:
        return {"cut_bytes": rng.randrange(1, 10_000)}


class StreamStalls(_OnStreams):
    """Silent for seconds, longer than WATCHDOG_SECONDS."""

    def accident(self, rng: random.Random) -> dict[str, Any]:
        return {"stall": [{"after": rng.randrange(80), "seconds": rng.uniform(2, 6)}]}


class StreamWithoutEnd(_OnStreams):
    """Completed, and never said so."""

    def accident(self, rng: random.Random) -> dict[str, Any]:
        return {"end": rng.choice(["silent", "no_end"])}


class JunkBytes(_OnStreams):
    """Broken JSON, bytes that are not UTF-8, lines that are no fields."""

    def accident(self, rng: random.Random) -> dict[str, Any]:
        kinds = ["broken_json", "not_utf8", "not_an_object", "no_field", "unknown_event"]
        return {"junk": [{"after": rng.randrange(80), "kind": kind} for kind in kinds]}


class EventsPoisoned(_OnStreams):
    """Events of the wrong types, of great depth, with endless numbers."""

    def accident(self, rng: random.Random) -> dict[str, Any]:
        return {"junk": [{"after": rng.randrange(80), "kind": "wrong_types"} for _ in range(3)]}


class GiantEvent(_OnStreams):
    """One event of up to 200 KB."""

    def accident(self, rng: random.Random) -> dict[str, Any]:
        return {"event_bytes": rng.randrange(10_000, 200_000), "event_bytes_after": 20}


class GatewayFrozen(Fault):
    """Half open: it answers nothing, for less than the POST's timeout."""

    resource = "gateway"
    holds = (0.5, 3.0)

    def inject(self, stage: Stage) -> None:
        self.pid = stage.gateway.pid
        os.kill(self.pid, signal.SIGSTOP)

    def heal(self, stage: Stage) -> None:
        os.kill(self.pid, signal.SIGCONT)


class GatewayKilled(Fault):
    """Its runs are lost; connections are refused until it is back."""

    resource, weight = "gateway", 1
    holds = (0.5, 3.0)

    def inject(self, stage: Stage) -> None:
        stage.gateway.kill()

    def heal(self, stage: Stage) -> None:
        stage.start_gateway()
