"""OpenAI's own Python package as a client of Holdfast, and what it puts together of a stream."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from openai import APIError, OpenAI

from tests.support.servers.stack import TOKEN, Stack


def openai_client(stack: Stack) -> OpenAI:
    """The package with another URL, and nothing else changed."""
    return OpenAI(base_url=f"{stack.url}/v1", api_key=TOKEN, max_retries=0)


@dataclass
class Received:
    """The events of one response, in however many streams they came. `opened`: streams."""

    events: list[Any] = field(default_factory=list)
    opened: int = 0

    @property
    def id(self) -> str:
        return str(self.events[0].response.id)

    @property
    def number(self) -> int | None:
        """The last number, by which a client goes on."""
        return self.events[-1].sequence_number if self.events else None

    @property
    def text(self) -> str:
        """The pieces of text, put together."""
        return "".join(e.delta for e in self.events if e.type == "response.output_text.delta")

    @property
    def types(self) -> list[str]:
        """The types of the events but pieces of text."""
        return [e.type for e in self.events if e.type != "response.output_text.delta"]

    @property
    def numbers(self) -> list[int]:
        return [e.sequence_number for e in self.events]

    @property
    def has_ended(self) -> bool:
        return bool(self.events) and self.events[-1].type in {
            "response.completed",
            "response.failed",
            "response.incomplete",
        }

    def read(self, stream: Iterable[Any], pieces: int = 10**9) -> None:
        """Add what comes, up to so many pieces of text."""
        self.opened += 1
        for event in stream:
            self.events.append(event)
            if event.type == "response.output_text.delta":
                pieces -= 1
            if not pieces:
                return

    def go_on(self, client: OpenAI, pieces: int = 10**9) -> None:
        """Read the rest, or some pieces of it, after the last number."""
        with client.responses.retrieve(
            self.id, stream=True, starting_after=self.number or 0
        ) as stream:
            self.read(stream, pieces)

    def read_to_the_end(self, client: OpenAI) -> None:
        """Go on after each cut, as long as it takes."""
        while not self.has_ended and self.opened < 50:
            try:
                self.go_on(client)
            except (APIError, OSError):
                continue


def by_number(received: Received) -> dict[int, Any]:
    """What the numbers name: each event without the pieces of text."""
    return {
        event.sequence_number: event.to_dict()
        for event in received.events
        if event.type != "response.output_text.delta"
    }
