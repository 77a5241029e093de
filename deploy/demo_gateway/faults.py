"""Faults on demand: what the gateway does wrong with the next requests."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from deploy.demo_gateway.runs.script import Script

Kind = Literal[
    "post", "status", "events", "stop", "approval", "sessions", "health", "capabilities", "models"
]
HttpError = Annotated[int, Field(ge=400, le=599)]
Seconds = Annotated[float, Field(ge=0, le=3600)]

MAX_FAULTS = 100


class FaultError(ValueError):
    """The body of `POST /demo/faults` is not a fault; the message names what is wrong."""


class Fault(BaseModel):
    """One fault; it hits the next `count` requests that it concerns, or all until deleted.

    post_status        `POST /v1/runs` answers so, with `Retry-After: retry_after`
    post_hang_seconds  it answers that late; with `post_never` the connection then closes instead
    post_hold_seconds  it is taken on that late only: until then nothing shows it
    post_reset         the connection is reset after the request was read
    accepted           whether the run goes on all the same (default: only when hanging)
    script             the runs posted play this instead of what their input says
    session_prefix     only posts whose session id begins so
    X_error            requests of that kind answer so
    sessions_poison    requests for sessions answer 200 and a body that is no session (`poison.py`)
    latency_ms         added to the answer, to every request if nothing else is asked for
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    post_status: HttpError | None = None
    retry_after: Seconds | None = None
    post_hang_seconds: Seconds | None = None
    post_never: bool = False
    post_hold_seconds: Seconds | None = None
    post_reset: bool = False
    accepted: bool | None = None
    script: Script | None = None
    session_prefix: str = ""
    status_error: HttpError | None = None
    events_error: HttpError | None = None
    stop_error: HttpError | None = None
    approval_error: HttpError | None = None
    sessions_error: HttpError | None = None
    sessions_poison: bool = False
    health_error: HttpError | None = None
    capabilities_error: HttpError | None = None
    models_error: HttpError | None = None
    latency_ms: int = Field(default=0, ge=0, le=600_000)
    count: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _one_kind_of_post(self) -> Fault:
        chosen = [self.post_status is not None, self.post_hang_seconds is not None, self.post_reset]
        if sum(chosen) > 1:
            raise ValueError("post_status, post_hang_seconds and post_reset exclude each other")
        others = (self.post_hold_seconds, self.script, self.latency_ms, self.sessions_poison)
        asked = (*chosen, *others, self._errors())
        if not any(asked):
            raise ValueError("a fault must ask for something")
        return self

    @property
    def accepts(self) -> bool:
        """Whether a post that it hits starts a run."""
        if self.accepted is not None:
            return self.accepted
        return self.post_status is None and not self.post_reset

    def concerns(self, kind: Kind, session_id: str) -> bool:
        """Whether it hits such a request."""
        if kind == "post":
            return self._concerns_posts() and session_id.startswith(self.session_prefix)
        poisons = self.sessions_poison and kind == "sessions"
        return poisons or kind in self._errors() or self._only_latency()

    def error_for(self, kind: Kind) -> int | None:
        """The HTTP status that requests of that kind get, or None."""
        return self._errors().get(kind)

    def _errors(self) -> dict[str, int]:
        names = ("status", "events", "stop", "approval", "sessions", "health", "capabilities")
        found = {name: getattr(self, f"{name}_error") for name in (*names, "models")}
        return {name: status for name, status in found.items() if status is not None}

    def _concerns_posts(self) -> bool:
        asked = (self.post_status, self.post_hang_seconds, self.post_hold_seconds, self.script)
        return any(value is not None for value in asked) or self.post_reset or self._only_latency()

    def _only_latency(self) -> bool:
        asked = (self.post_status, self.post_hang_seconds, self.post_hold_seconds, self.script)
        nothing = all(value is None for value in asked) and not self.post_reset
        return nothing and not self._errors() and not self.sessions_poison


class Faults:
    """The faults in force, oldest first; the first that concerns a request hits it."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Fault, int | None]] = []

    def add(self, fields: object) -> None:
        """Activate a fault. Raises FaultError."""
        if len(self._waiting) >= MAX_FAULTS:
            raise FaultError(f"more than {MAX_FAULTS} faults in force")
        try:
            fault = Fault.model_validate(fields)
        except ValidationError as error:
            faults = error.errors(include_url=False, include_input=False)
            raise FaultError(
                "; ".join(f"{'.'.join(map(str, f['loc']))}: {f['msg']}" for f in faults)
            ) from error
        self._waiting.append((fault, fault.count))

    def clear(self) -> None:
        """Remove all faults."""
        self._waiting.clear()

    def take(self, kind: Kind, session_id: str = "") -> Fault | None:
        """The fault that hits this request, counted; or None."""
        for index, (fault, left) in enumerate(self._waiting):
            if not fault.concerns(kind, session_id):
                continue
            if left is not None:
                self._waiting[index] = (fault, left - 1)
                if left == 1:
                    del self._waiting[index]
            return fault
        return None

    def as_json(self) -> list[dict[str, Any]]:
        """The faults in force and how many requests each will still hit (None: no end)."""
        return [
            {**fault.model_dump(exclude_defaults=True), "count": left}
            for fault, left in self._waiting
        ]
