"""A small, sound record of one run, for tests that spoil it."""

from __future__ import annotations

from typing import Any

from tests.chaos.evidence.evidence import Evidence, Page, Produced, ReceivedEvent, Sent

RUN = "run_1"
TOKENS = [f"s0x0.{n};" for n in range(1, 11)]
START = 1000.0
SCRIPT = '[[demo {"text": "s0x0.{n};", "tokens": 10}]] please'


def sound() -> Evidence:
    """One completed run, seen by two tabs and a reader of events, in which nothing is wrong."""
    return Evidence(
        produced={"gw_1": _produced()},
        pages=[_page("s0/old"), _page("s0/modern")],
        sent=[Sent(START, "s0", "s0x0", "s0x0", RUN, "ok")],
        runs={RUN: row()},
        attempts=[{"run_id": RUN, "fence": 1, "ephemeral_id": "eph_1"}],
        messages={RUN: [_message("user", SCRIPT), _message("assistant", "".join(TOKENS))]},
        logs={RUN: [(event["seq"], event) for event in events()]},
        streams={"s0": [{**event, "run_id": RUN, "epoch": 1, "id": "x"} for event in events()]},
        keys={"hf:{x}:log:run_1": 3000, "hf:celery:_kombu.binding.runs": -1},
        channels=["hf:control"],
    )


def row(**fields: Any) -> dict[str, Any]:
    """The run's row."""
    sound_row = {
        "id": RUN,
        "session_id": "s0",
        "state": "completed",
        "reason": None,
        "input": SCRIPT,
        "created_at": START,
        "ended_at": START + 2,
        "announced_at": START + 2,
        "gateway_synced": True,
        "terminal_entries": [["run.completed", {"status": "completed"}]],
    }
    return {**sound_row, **fields}


def events() -> list[dict[str, Any]]:
    """The run's events with their seqs."""
    made: list[dict[str, Any]] = [{"event": "run.started"}]
    made += [{"event": "message.delta", "delta": token} for token in TOKENS]
    made += [{"event": "run.completed"}]
    return [{**event, "seq": seq} for seq, event in enumerate(made, start=1)]


def received_event(event: dict[str, Any], at: float) -> ReceivedEvent:
    """An event as a page records it."""
    return ReceivedEvent(at, event["event"], RUN, 1, event["seq"], event.get("delta", ""))


def _page(tab: str) -> Page:
    shown = {"replay": False, "degraded": False, "texts": {}, "working": False}
    first = ReceivedEvent(START - 1, "resumed", "", 0, 0, shown=shown)
    rest = [received_event(event, START + n / 10) for n, event in enumerate(events())]
    return Page(tab, "s0", START - 2, START + 10, until_end=True, received=[first, *rest])


def _produced() -> Produced:
    tokens = [(START + (n + 1) / 10, token) for n, token in enumerate(TOKENS)]
    messages = [_message("user", SCRIPT), _message("assistant", "".join(TOKENS))]
    return Produced("gw_1", "eph_1", START, 77, tokens, 0, "completed", messages)


def _message(role: str, content: str) -> dict[str, Any]:
    return {"role": role, "content": content}
