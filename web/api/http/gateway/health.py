"""`/health`, `/v1/health` and `/health/detailed`, in the gateway's shapes.

The first two say that this process answers, like `/healthz`. The third says how the gateway of a
profile is, in its own words as far as they are counts and states, and how Holdfast is.
"""

from collections.abc import Mapping
from typing import Any, Final

from flask import Response

from shared.hermes.profiles import Profile, Profiles
from web.api.health import Health, version, words
from web.api.http.errors import ApiError
from web.api.http.gateway.documents import Documents, Object
from web.api.http.routes import Answer, Call

API_VERSION: Final = "0.19.0"  # of the gateway's API that has the shapes which are served here
DETAILED: Final = "/health/detailed"
_OF_A_PLATFORM: Final = ("state", "updated_at", "error_code")
_TEXTS: Final = ("error_message",)  # may name addresses


class GatewayHealth:
    """What everybody may know, and what users may."""

    def __init__(self, profiles: Profiles, documents: Documents, health: Health) -> None:
        self._profiles = profiles
        self._documents = documents
        self._health = health

    def show(self, call: Call) -> Answer | Response:
        """`GET /health` and `GET /v1/health`."""
        return Answer({"status": "ok", **_names(), "holdfast": version()})

    def detailed(self, call: Call) -> Answer | Response:
        """`GET /health/detailed`."""
        profile = self._profiles.getter_for(call.owner)(call.profile)
        theirs = self._ask(profile)
        ours = self._parts(theirs)
        checks = _checks(theirs)
        all_well = theirs.get("status") == "ok" and "failed" not in _all_words(ours)
        return Answer(
            {
                "status": "ok" if all_well else "degraded",
                "readiness": {"status": _readiness(theirs, checks), "checks": checks},
                **_names(),
                "gateway_state": _of_kind(theirs.get("gateway_state"), str),
                "platforms": _platforms(theirs.get("platforms")),
                "active_agents": _of_kind(theirs.get("active_agents"), int) or 0,
                "gateway_busy": theirs.get("gateway_busy") is True,
                "gateway_drainable": theirs.get("gateway_drainable") is True,
                "exit_reason": None,  # a text, which may name addresses
                "updated_at": _plain(theirs.get("updated_at")),
                "pid": _of_kind(theirs.get("pid"), int),
                "holdfast": ours,
            }
        )

    def _ask(self, profile: Profile) -> Object:
        try:
            return self._documents.get(profile, DETAILED)
        except ApiError:
            return {}

    def _parts(self, theirs: Object) -> dict[str, Any]:
        return {
            "version": version(),
            "gateway": "ok" if theirs else "failed",
            "dependencies": words(self._health.dependencies()),
            "services": words(self._health.services()),
        }


def _names() -> dict[str, str]:
    return {"platform": "hermes-agent", "version": API_VERSION}


def _all_words(parts: Mapping[str, Any]) -> list[str]:
    return [*parts["dependencies"].values(), *parts["services"].values()]


def _readiness(theirs: Object, checks: Mapping[str, Mapping[str, Any]]) -> str:
    """Older gateways have no checks, and say it in one word."""
    if checks:
        return "ok" if all(check["status"] == "ok" for check in checks.values()) else "degraded"
    return "ok" if theirs.get("status") == "ok" else "degraded"


def _checks(theirs: Object) -> dict[str, dict[str, Any]]:
    readiness = theirs.get("readiness")
    found = readiness.get("checks") if isinstance(readiness, dict) else None
    return {
        name: {key: _plain(value) for key, value in check.items()}
        for name, check in _objects(found).items()
        if isinstance(check.get("status"), str)
    }


def _platforms(found: Any) -> dict[str, dict[str, Any]]:
    return {
        name: {key: _plain(one[key]) for key in _OF_A_PLATFORM if key in one}
        | {key: None for key in _TEXTS if key in one}
        for name, one in _objects(found).items()
    }


def _objects(found: Any) -> dict[str, dict[str, Any]]:
    if not isinstance(found, dict):
        return {}
    return {name: one for name, one in found.items() if isinstance(one, dict)}


def _of_kind(value: Any, kind: type) -> Any:
    return value if isinstance(value, kind) and not isinstance(value, bool) else None


def _plain(value: Any) -> Any:
    """Numbers and words; nothing that could be a message, a path or an address."""
    if isinstance(value, str):
        return value if len(value) <= 64 and "/" not in value and " " not in value else None
    return value if isinstance(value, int | float) else None
