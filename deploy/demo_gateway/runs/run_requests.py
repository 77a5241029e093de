"""Parses the body of `POST /v1/runs` into an `Order`."""

from __future__ import annotations

from typing import Any

from deploy.demo_gateway.replies import BadBody
from deploy.demo_gateway.runs.default_answer import default_answer
from deploy.demo_gateway.runs.runs import Order
from deploy.demo_gateway.runs.script import ScriptError, find_script


def read_order(body: dict[str, Any], default_model: str, size: int) -> Order:
    """Check the body as the real gateway does. Raises BadBody with its message."""
    content = _user_message(body.get("input"))
    _check_history(body.get("conversation_history"))
    text = flatten(content)
    try:
        script = find_script(text)
    except ScriptError as error:
        raise BadBody(str(error)) from error
    session_id = body.get("session_id")
    return Order(
        content=content,
        text=text,
        session_id=str(session_id) if session_id else None,
        model=str(body.get("model") or default_model),
        script=default_answer(text) if script is None else script,
        body=body,
        size=size,
    )


def flatten(content: str | list[Any]) -> str:
    """The text of a message: itself, or that of its text blocks."""
    if isinstance(content, str):
        return content
    texts = [block.get("text") for block in content if isinstance(block, dict)]
    return "\n".join(text for text in texts if isinstance(text, str))


def _user_message(given: object) -> str | list[Any]:
    if not given:
        raise BadBody("Missing 'input' field")
    last = given[-1] if isinstance(given, list) else {"content": given}
    content = last.get("content") if isinstance(last, dict) else None
    if not content or not isinstance(content, str | list):
        raise BadBody("No user message found in input")
    return content


def _check_history(history: object) -> None:
    if not history:
        return
    if not isinstance(history, list):
        raise BadBody("'conversation_history' must be an array of message objects")
    for index, entry in enumerate(history):
        if not isinstance(entry, dict) or "role" not in entry or "content" not in entry:
            raise BadBody(f"conversation_history[{index}] must have 'role' and 'content' fields")
