"""A session and its messages in the shapes of the gateway's `/api/sessions`. Pure."""

from typing import Any, Final

from shared.db.sessions.list_sessions import Listed, Match
from shared.db.sessions.session_info import Info
from shared.hermes.profiles import DEFAULT
from web.api.http.run_objects import GATEWAY_MODEL

_HIDDEN: Final = ("billing_provider",)


def session_object(info: Info) -> dict[str, Any]:
    """The object of a session."""
    shown = {name: value for name, value in info.items() if name not in _HIDDEN}
    named = info["profile"] if info["profile"] != DEFAULT else GATEWAY_MODEL
    return {
        **shown,
        "model": info["model"] or named,
        "has_system_prompt": False,
        "has_model_config": False,
    }


def session_answer(info: Info) -> dict[str, Any]:
    """The body of an answer about one session."""
    return {"object": "hermes.session", "session": session_object(info)}


def listed_object(listed: Listed) -> dict[str, Any]:
    """The object of a session of a list."""
    found = session_object(listed.info)
    if listed.match is not None:
        found["match"] = _match(listed.match)
    return found


def _match(match: Match) -> dict[str, Any]:
    shown = match.snippet
    snippet = {"text": shown.text, "ranges": shown.matches} if shown is not None else None
    return {
        "messages": match.messages,
        "message_id": match.message_id,
        "role": match.role,
        "snippet": snippet,
    }
