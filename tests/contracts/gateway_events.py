"""How the gateway contracts read text and events."""

from __future__ import annotations

from tests.support.clients.gateway_http_client import Object


def words(text: str) -> list[str]:
    """The text without its white space, which gateways do not keep exactly."""
    return text.split()


def named(events: list[Object], name: str) -> list[Object]:
    """The events of that name, in order."""
    return [event for event in events if event["event"] == name]


def said(events: list[Object]) -> str:
    """The streamed text."""
    return "".join(event["delta"] for event in named(events, "message.delta"))
