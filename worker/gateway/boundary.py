"""The boundary of a gateway's data: JSON of answers in, the values of `models` out. Pure.

Whatever a gateway sends passes a boundary once, and nothing beyond is untyped: answers here, rows
in `boundary_rows`, events in `boundary_events`. `boundary_json` and `boundary_text` convert single
values, and say what becomes of odd ones.
"""

from collections.abc import Mapping
from typing import Any

from shared.any_json import decode
from worker.gateway.boundary_json import count, flag, name, take
from worker.gateway.boundary_rows import messages, session, usage
from worker.gateway.boundary_text import error_text, words
from worker.gateway.models import (
    Capabilities,
    GatewayTranscript,
    GatewayWork,
    RunStatus,
    SessionPage,
)

_NO_SEGMENT = frozenset({".", ".."})  # names that no part of a URL can have
PID_MOST = 2**31 - 1  # a column has no more

Json = Mapping[str, Any]


def answer(body: bytes) -> dict[str, Any] | None:
    """The JSON object of an answer, as one of the functions below takes it; None for any other."""
    found = decode(body)
    return found if isinstance(found, dict) else None


def error_of(found: Json) -> str | None:
    """What an answer that is an error says."""
    said = {field: found.get(field) for field in ("error", "detail", "message")}
    return error_text({field: value for field, value in said.items() if value is not None})


def run_id(found: Json) -> str | None:
    """The id in the answer to the POST of a run, exactly as the gateway knows it."""
    value = found.get("run_id")
    known = name(value)
    if known in _NO_SEGMENT:
        return None
    return known if known == value or not isinstance(value, str) else None


def run_status(found: Json) -> RunStatus:
    """The answer to `GET /v1/runs/{id}`."""
    return RunStatus(
        status=take(found, "status", name, "run") or "",
        output=take(found, "output", words, "run"),
        usage=usage(found.get("usage")),
        error=error_text(found.get("error")),
        last_event=take(found, "last_event", name, "run"),
    )


def session_page(found: Json, limit: int) -> SessionPage | None:
    """An answer to `GET /api/sessions`; None if there are no sessions in it."""
    rows = found.get("data")
    if not isinstance(rows, list):
        return None
    more = flag(found.get("has_more"))
    typed = [row for row in map(session, rows) if row is not None]
    has_more = len(rows) >= limit if more is None else more
    return SessionPage(typed, has_more and bool(rows), unusable=len(rows) - len(typed))


def transcript(found: Json, session_id: str) -> GatewayTranscript | None:
    """An answer with the messages of a session; None if there are none in it."""
    rows = found.get("data")
    if not isinstance(rows, list):
        return None
    told = take(found, "session_id", name, "transcript") or session_id
    return GatewayTranscript(told, messages(rows))


def work(found: Json) -> GatewayWork:
    """The answer to `GET /health/detailed`. A Hermes counts runs in the readiness check of its
    queues, and other work in `active_agents`; the larger number counts."""
    runs: Any = found
    for part in ("readiness", "checks", "background_queues", "active_api_runs"):
        runs = runs.get(part) if isinstance(runs, dict) else None
    pid, active = take(found, "pid", count, "health"), count(runs)
    if active is not None:
        active = max(active, take(found, "active_agents", count, "health") or 0)
    return GatewayWork(pid if pid and pid <= PID_MOST else None, active)


def platform(found: Json) -> str | None:
    """Which software a gateway says it is."""
    return take(found, "platform", name, "capabilities")


def capabilities(found: Json) -> Capabilities:
    """The answer to `GET /v1/capabilities`. Only what is plainly said counts."""
    given = found.get("features")
    features: Json = given if isinstance(given, dict) else {}
    keys = features.get("runs_idempotency")
    return Capabilities(
        platform=platform(found),
        replays=features.get("run_events_replay") is True,
        # Keys that a restart forgets would have a run done twice.
        repeats=isinstance(keys, dict)
        and keys.get("supported") is True
        and keys.get("durable") is True,
        steers=features.get("run_steer") is True,
    )


def error_code(found: Json) -> str | None:
    """The code of an answer that is an error."""
    error = found.get("error")
    return take(error, "code", name, "error") if isinstance(error, dict) else None
