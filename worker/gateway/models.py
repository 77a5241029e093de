"""What a gateway's answers say, as values. Pure: code that decides needs these and no HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TERMINAL = frozenset({"completed", "failed", "cancelled"})


@dataclass(frozen=True)
class RunStatus:
    """The state of a run as its gateway reports it."""

    status: str
    output: str | None
    usage: dict[str, Any] | None
    error: str | None

    @property
    def terminal(self) -> bool:
        """Whether the gateway has finished the run."""
        return self.status in TERMINAL

    @classmethod
    def from_answer(cls, answer: Mapping[str, Any]) -> RunStatus:
        """The answer to `GET /v1/runs/{id}`; fields of the wrong type count as missing."""
        output, usage = answer.get("output"), answer.get("usage")
        return cls(
            status=str(answer.get("status", "")),
            output=output if isinstance(output, str) else None,
            usage=usage if isinstance(usage, dict) else None,
            error=str(answer["error"]) if answer.get("error") else None,
        )


@dataclass(frozen=True)
class GatewayTranscript:
    """The messages of a gateway session. A gateway that compresses in mid-run continues the session
    under another id, so `session_id` may differ from the requested one (P25)."""

    session_id: str
    messages: list[dict[str, Any]]
    session_ids: tuple[str, ...] = ()  # the requested session and its continuations, in order
    usage: dict[str, Any] | None = None  # the session's row, with token counts of all of them


@dataclass(frozen=True)
class SessionPage:
    """Some of a gateway's sessions, the last used first; `more`: there may be a next page."""

    rows: list[dict[str, Any]]
    more: bool


@dataclass(frozen=True)
class GatewayWork:
    """A gateway's process id and its number of running jobs; None: it does not report it."""

    pid: int | None
    active: int | None

    @classmethod
    def from_health(cls, answer: Mapping[str, Any]) -> GatewayWork:
        """The answer to `GET /health/detailed`. A Hermes counts runs in the readiness check of its
        queues, and other work in `active_agents`; the larger number counts."""
        pid, agents = answer.get("pid"), answer.get("active_agents")
        runs: Any = answer
        for key in ("readiness", "checks", "background_queues", "active_api_runs"):
            runs = runs.get(key) if isinstance(runs, dict) else None
        active = None
        if isinstance(runs, int):
            active = max(runs, agents if isinstance(agents, int) else 0)
        return cls(pid if isinstance(pid, int) else None, active)
