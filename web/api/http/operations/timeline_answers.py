"""What the timeline of a run looks like. Times are epoch seconds."""

from typing import Literal

from pydantic import BaseModel

from web.api.http.run_models import Status

StepName = Literal[
    "queued",
    "claimed",
    "posted",
    "started",
    "first_token",
    "tool_started",
    "tool_completed",
    "approval_requested",
    "approval_answered",
    "approval_resolved",
    "compression_started",
    "compression_ended",
    "retrying",
    "reattached",
    "stop_requested",
    "ended",
]


class TimelineStep(BaseModel):
    """One step. `at` is null where the log did not say when it was; the other fields are there
    where they have a value."""

    at: float | None
    step: StepName
    attempt: int | None = None
    taken_over: bool | None = None
    tool: str | None = None
    duration: float | None = None
    failed: bool | None = None
    approval_id: int | None = None
    choice: str | None = None
    reason: str | None = None
    delay: float | None = None
    mode: str | None = None


class Attempt(BaseModel):
    """One POST to the gateway. `never_sent`: it did not leave, or was refused. `proof`: by which it
    is known that the gateway never had it. `double_post`: the gateway had another one, too."""

    attempt: int
    posted_at: float | None
    gateway_run_id: str | None
    never_sent: bool
    proved_absent_at: float | None
    proof: str | None
    double_post: bool


class Compression(BaseModel):
    """One summary of the session's older turns, in tokens and messages of the session."""

    kind: str
    started_at: float
    ended_at: float | None
    result: str | None
    trigger_tokens: int
    threshold: int
    after_tokens: int | None
    before_messages: int
    after_messages: int | None


class RunTimeline(BaseModel):
    """The answer to `GET /api/runs/{run_id}/timeline`. `source`: what the steps between claim and
    end are from: `stored` with the end, the `log`, or neither (`rows`). `left_out`: steps for which
    there was no place."""

    object: Literal["run.timeline"]
    run_id: str
    owner: str
    session_id: str | None
    profile: str
    status: Status
    reason: str | None
    takeovers: int
    worker: str | None
    steps: list[TimelineStep]
    left_out: int
    source: Literal["stored", "log", "rows"]
    attempts: list[Attempt]
    compressions: list[Compression]
