"""Events of a run in the names and shapes of the gateway's `…/chat/stream`. Pure.

The gateway has one message for all text of a turn, and events of its own names around it. What it
has no name for (a question of the agent, a retry, pieces of the reasoning) keeps the name that it
has in the run's own events.
"""

import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

from shared.protocol.events import RUN_CANCELLED, RUN_COMPLETED, RUN_FAILED
from shared.protocol.run_ends import usage_of

Named = tuple[str, dict[str, Any]]

ENDS: Final = frozenset({RUN_COMPLETED, RUN_FAILED, RUN_CANCELLED})

_OF_THE_LOG: Final = ("event", "seq", "epoch", "timestamp", "run_id", "session_id")


class ChatEvents:
    """The events of one stream, which count from 1."""

    def __init__(self, session_id: str, run_id: str) -> None:
        self._common = {"session_id": session_id, "run_id": run_id}
        self._message_id = f"msg_{run_id.removeprefix('run_')}"
        self._seq = 0

    def begin(self, said: object) -> Iterator[Named]:
        """What comes first. `said`: the message that is answered."""
        yield self._event("run.started", user_message={"role": "user", "content": said})
        message = {"id": self._message_id, "role": "assistant"}
        yield self._event("message.started", message=message)

    def of(self, event: Mapping[str, Any], messages: list[dict[str, Any]]) -> Iterator[Named]:
        """What an event of the run becomes. `messages`: those of the turn, for its end."""
        name = str(event.get("event"))
        if name in ENDS:
            yield from self._end(name, event, messages)
        elif name == "message.delta":
            yield self._event("assistant.delta", **self._of_message(delta=event.get("delta")))
        elif name == "reasoning.available":
            shown = {"tool_name": "_thinking", "delta": event.get("text") or ""}
            yield self._event("tool.progress", **self._of_message(**shown))
        elif name in ("tool.started", "tool.completed"):
            yield self._event(name, **self._of_message(**_tool(event)))
        elif name != "run.started":  # that the gateway took it; here it began before
            yield self._event(name, **_rest(event))

    def _end(
        self, name: str, event: Mapping[str, Any], messages: list[dict[str, Any]]
    ) -> Iterator[Named]:
        if name == RUN_FAILED:
            reason = {"reason": event["reason"]} if event.get("reason") else {}
            yield self._event("error", message=event.get("error") or "The run failed.", **reason)
        else:
            is_whole = name == RUN_COMPLETED
            yield self._event(
                "assistant.completed",
                **self._of_message(
                    content=event.get("output") or "",
                    completed=is_whole,
                    partial=not is_whole,
                    interrupted=not is_whole,
                ),
            )
            yield self._event(
                name,
                **self._of_message(
                    completed=is_whole, messages=messages, usage=usage_of(event.get("usage"))
                ),
            )
        yield self._event("done")

    def _of_message(self, **fields: Any) -> dict[str, Any]:
        return {"message_id": self._message_id, **fields}

    def _event(self, name: str, **fields: Any) -> Named:
        self._seq += 1
        return name, {**fields, **self._common, "seq": self._seq, "ts": time.time()}


def _rest(event: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name not in _OF_THE_LOG}


def _tool(event: Mapping[str, Any]) -> dict[str, Any]:
    """The gateway's fields of a tool, and those that the run's event has besides."""
    fields = {"tool_name": event.get("tool"), "preview": event.get("preview"), "args": None}
    more = {name: value for name, value in _rest(event).items() if name != "tool"}
    return {**more, **fields}
