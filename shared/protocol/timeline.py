"""When a run did what: the steps in the events of its log. Pure.

A worker folds each event as it is written and stores the steps with the end of the run, when the
log is about to go; a web process folds the log of a live run. Steps hold names and numbers only, no
text of the agent, since operators may read them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final

from shared.protocol.events import DELTAS

Step = dict[str, Any]  # {at: epoch seconds or None, step, and details}

MOST_TOOLS: Final = 200  # steps of tools
MOST: Final = 300  # steps

_WORD = re.compile(r"[\w.:/-]{1,100}")
_STEPS: Final = {
    "run.started": "started",
    "tool.started": "tool_started",
    "tool.completed": "tool_completed",
    "approval.request": "approval_requested",
    "approval.responded": "approval_resolved",
    "run.retrying": "retrying",
    "run.reattached": "reattached",
}
_DETAILS: Final = {
    "run.started": {"attempt": "attempt"},
    "tool.started": {"tool": "tool"},
    "tool.completed": {"tool": "tool", "duration": "duration"},
    "approval.request": {"approval_id": "seq"},
    "run.retrying": {"reason": "reason", "delay": "delay"},
    "run.reattached": {"mode": "mode"},
}


class Timeline:
    """The steps of one run so far. Feed with `apply`."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.left_out = 0  # steps for which there was no place
        self._tools = 0
        self._has_text = False

    def apply(self, name: str, payload: Mapping[str, Any], now: float | None = None) -> None:
        """Fold one event in. `now`: when it came, in epoch seconds; None: as the event says."""
        if name in DELTAS:
            if not self._has_text:
                self._has_text = True
                self._add("first_token", payload, now)
        elif name in _STEPS:
            self._add(_STEPS[name], payload, now, name)

    def claimed(self, attempt: int, *, taken_over: bool, now: float) -> None:
        """Note that a worker claimed the run once more; the first time is in the run's row."""
        step = {"at": now, "step": "claimed", "attempt": attempt, "taken_over": taken_over}
        self._append(step, is_tool=False)

    def to_state(self) -> dict[str, Any]:
        """The steps as JSON-able values; `from_state` continues from them."""
        return {"steps": self.steps[:], "left_out": self.left_out}

    @classmethod
    def from_state(cls, state: Mapping[str, Any] | None) -> Timeline:
        """Restore what `to_state` gave; None, of a worker of the version before: no steps."""
        restored = cls()
        if state is not None:
            restored.steps = [dict(step) for step in state["steps"]]
            restored.left_out = state["left_out"]
        names = [step["step"] for step in restored.steps]
        restored._tools = sum(name.startswith("tool_") for name in names)
        restored._has_text = "first_token" in names
        return restored

    def _add(
        self, word: str, payload: Mapping[str, Any], now: float | None, name: str = ""
    ) -> None:
        details = {
            shown: fit
            for shown, field in _DETAILS.get(name, {}).items()
            if (fit := _fit(payload.get(field))) is not None
        }
        if name == "tool.completed":
            details["failed"] = bool(payload.get("error"))
        at = now if now is not None else time_of(payload.get("timestamp"))
        self._append({"at": at, "step": word, **details}, is_tool=word.startswith("tool_"))

    def _append(self, step: Step, *, is_tool: bool) -> None:
        if len(self.steps) >= MOST or (is_tool and self._tools >= MOST_TOOLS):
            self.left_out += 1
            return
        self._tools += is_tool
        self.steps.append(step)


def first_token_at(state: Mapping[str, Any] | None) -> float | None:
    """When the first text came, as `to_state` has it, in epoch seconds; None: none, or unknown."""
    steps = state["steps"] if state is not None else []
    return next((step["at"] for step in steps if step["step"] == "first_token"), None)


def _fit(value: object) -> object:
    """The value if it is a number or one word: texts of an agent have no place here."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value if math.isfinite(value) and abs(value) < 2**53 else None
    return value if isinstance(value, str) and _WORD.fullmatch(value) else None


def time_of(value: object) -> float | None:
    """The value of a field `timestamp`, in epoch seconds; None if it is no time."""
    fit = _fit(value)
    return float(fit) if isinstance(fit, int | float) and fit > 0 else None
