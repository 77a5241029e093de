"""The text of one run so far, and the one place that produces text."""

from __future__ import annotations

import json
import time

from deploy.demo_gateway.runs.runs import Run


class Turn:
    """The open message of a run: its text and the reasoning before it."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._segment: list[str] = []
        self._reasoning: list[str] = []
        self._frame_start = f'data: {{"event": "message.delta", "run_id": "{run.run_id}", '

    @property
    def text(self) -> str:
        """The text since the last tool call."""
        return "".join(self._segment)

    def say(self, text: str) -> None:
        """One message.delta; the event is written by hand because this is the hot path."""
        self._segment.append(text)
        self.run.record.add(text)
        stream = self.run.stream
        if stream.listed:
            event = f'"timestamp": {time.time()!r}, "delta": {json.dumps(text)}}}\n\n'
            stream.put((self._frame_start + event).encode())

    def think(self, text: str) -> None:
        """One reasoning.delta."""
        self._reasoning.append(text)
        self.run.send_event("reasoning.delta", delta=text)

    def show_thoughts(self, text: str) -> None:
        """The reasoning in one piece, in place of the deltas."""
        self._reasoning[:] = [text]
        self.run.send_event("reasoning.available", text=text)

    def close_for_tool(self, name: str, arguments: str) -> str:
        """Write the open message with its tool call; gives the call's id."""
        text = self.text
        self._segment.clear()
        return self.run.writer.write_tool_call(text, name, arguments, **self._thoughts())

    def close(self, text: str, finish_reason: str | None) -> None:
        """Write `text` as the last message."""
        self.run.writer.write("assistant", text, finish_reason=finish_reason, **self._thoughts())

    def _thoughts(self) -> dict[str, str]:
        """Columns of the reasoning since the last message."""
        text = "".join(self._reasoning)
        self._reasoning.clear()
        return {"reasoning": text, "reasoning_content": text} if text else {}
