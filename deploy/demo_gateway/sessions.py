"""The gateway's own sessions: their rows, and the transcripts of turns.

The session's row appears a little after the run has started, and messages are written while the
turn goes on. The results of tools are found here and nowhere else; their rows carry no tool name.
"""

from __future__ import annotations

import time
import uuid
from collections import OrderedDict
from itertools import count
from typing import Any

# Oldest sessions go first: a demo that runs for weeks stays small.
MAX_SESSIONS = 2_000

Message = dict[str, Any]


class Session:
    """One row and its messages."""

    def __init__(self, session_id: str, model: str) -> None:
        now = time.time()
        self.messages: list[Message] = []
        self.row: dict[str, Any] = {
            "id": session_id,
            "source": "api_server",
            "user_id": None,
            "model": model,
            "title": None,
            "started_at": now,
            "ended_at": None,
            "end_reason": None,
            "message_count": 0,
            "tool_call_count": 0,
            "input_tokens": 0,
            "output_tokens": 0,
            "cache_read_tokens": 0,
            "cache_write_tokens": 0,
            "reasoning_tokens": 0,
            "estimated_cost_usd": 0.0,
            "actual_cost_usd": None,
            "api_call_count": 0,
            "parent_session_id": None,
            "last_active": now,
            "preview": "",
            "has_system_prompt": True,
            "has_model_config": True,
        }

    def append(self, message: Message) -> None:
        """Store a message and keep the row's counts."""
        self.messages.append(message)
        self.row["message_count"] += 1
        self.row["tool_call_count"] += len(message["tool_calls"] or [])
        self.row["last_active"] = message["timestamp"]
        if message["role"] == "user" and not self.row["preview"]:
            self.row["preview"] = str(message["content"])[:60]


class SessionStore:
    """All sessions, newest use last."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._message_ids = count(1)

    def get(self, session_id: str) -> Session | None:
        """The session, or None."""
        return self._sessions.get(session_id)

    def ensure(self, session_id: str, model: str) -> Session:
        """The session, made if it is not there."""
        session = self._sessions.get(session_id)
        if session is None:
            session = self._sessions[session_id] = Session(session_id, model)
            while len(self._sessions) > MAX_SESSIONS:
                self._sessions.popitem(last=False)
        return session

    def delete(self, session_id: str) -> bool:
        """Delete the session and its messages; False if it is unknown."""
        return self._sessions.pop(session_id, None) is not None

    def page(self, limit: int, offset: int, source: str | None) -> list[Session]:
        """Sessions by last use, newest first."""
        chosen = [s for s in self._sessions.values() if source in (None, s.row["source"])]
        chosen.sort(key=lambda session: session.row["last_active"], reverse=True)
        return chosen[offset : offset + limit]

    def new_message(self, session_id: str, role: str, content: object, **fields: Any) -> Message:
        """A message row with every column that the API shows."""
        return {
            "id": next(self._message_ids),
            "session_id": session_id,
            "role": role,
            "content": content,
            "tool_call_id": None,
            "tool_calls": None,
            "tool_name": None,
            "timestamp": time.time(),
            "token_count": None,
            "finish_reason": None,
            "reasoning": None,
            "reasoning_content": None,
            **fields,
        }


class TurnWriter:
    """Writes one turn's messages; they wait until the session's row exists."""

    def __init__(self, store: SessionStore, session_id: str, model: str) -> None:
        self.written: list[Message] = []
        self._store = store
        self._session_id = session_id
        self._model = model
        self._open = False

    def open(self) -> None:
        """Create the row and write the waiting messages; later calls do nothing."""
        if self._open:
            return
        self._open = True
        session = self._store.ensure(self._session_id, self._model)
        session.row["api_call_count"] += 1
        for message in self.written:
            session.append(message)

    def write(self, role: str, content: object, **fields: Any) -> None:
        """Add a message; lost if the session was deleted meanwhile."""
        message = self._store.new_message(self._session_id, role, content, **fields)
        self.written.append(message)
        session = self._store.get(self._session_id) if self._open else None
        if session is not None:
            session.append(message)

    def write_tool_call(self, text: str, name: str, arguments: str, **fields: Any) -> str:
        """The assistant's call, closing the text before it; gives the call's id."""
        call_id = f"call_{uuid.uuid4().hex[:24]}"
        function = {"name": name, "arguments": arguments}
        call = {"id": call_id, "call_id": call_id, "type": "function", "function": function}
        self.write("assistant", text, tool_calls=[call], finish_reason="tool_calls", **fields)
        return call_id

    def add_usage(self, input_tokens: int, output_tokens: int, reasoning_tokens: int) -> None:
        """Count the turn's tokens into the session's totals."""
        session = self._store.get(self._session_id)
        if session is not None:
            session.row["input_tokens"] += input_tokens
            session.row["output_tokens"] += output_tokens
            session.row["reasoning_tokens"] += reasoning_tokens
