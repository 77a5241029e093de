"""The payload of `resumed` and `session.resync`: stored rows and the fold of live logs.

Pure, but for `build_aside`, which may do the same work in another thread.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from shared import runtime
from shared.db.sessions.read import PAGE, Conversation, RunInfo
from shared.event_log.types import LogView
from shared.protocol.events import Payload, decode
from shared.protocol.run_states import LIVE, RunState
from shared.protocol.state_events import StateEvents
from shared.protocol.transcript import Transcript
from web.relay.feed_address import FeedAddress

FOLD_ASIDE = 1000  # entries; folding more would hold all other requests for milliseconds


@dataclass(frozen=True)
class Fold:
    """The messages, state events and open questions of a run so far."""

    messages: list[Payload]
    events: list[Payload]
    approvals: list[Payload]


def fold(view: LogView, session_id: str | None) -> Fold:
    """Fold a log: its checkpoint and the entries after that (R29)."""
    transcript, state_events = Transcript(view.run_id, session_id), StateEvents()
    if view.checkpoint is not None and view.first == view.base + 1:
        state = orjson.loads(view.checkpoint)
        transcript = Transcript.from_state(state["transcript"])
        state_events = StateEvents.from_state(state["state_events"])
    for entry in view.entries:
        _, event = decode(entry)
        transcript.apply(event)
        state_events.apply(event)
    return Fold(transcript.messages(), state_events.events(), state_events.open_approvals())


def disagree(runs: Mapping[str, RunInfo], views: Sequence[LogView]) -> bool:
    """Whether rows and logs were read at different moments, so that both must be read again."""
    return any(_disagree(runs.get(view.run_id), view) for view in views)


def _disagree(run: RunInfo | None, view: LogView) -> bool:
    if view.ended:
        return run is not None and run.is_open
    return run is None or not run.has_begun


def build(
    address: FeedAddress,
    conversation: Conversation,
    views: Sequence[LogView],
    *,
    degraded: bool = False,
    with_messages: bool = True,
) -> Payload:
    """Everything that a page needs; what follows on the socket is live (P7-P9)."""
    unstored = [view for view in views if _is_unstored(conversation, view)]
    working = [run for run in conversation.runs.values() if run.is_open and not _ended(views, run)]
    live = [view for view in views if not view.ended]
    payload: Payload = {
        "event": "resumed",
        "messages": [],
        "isWorking": bool(working or live),
        "events": [],
        "inputTokens": conversation.input_tokens,
        "outputTokens": conversation.output_tokens,
        "queue": conversation.queue,
        "total": conversation.total,
        "hasMore": False,
    }
    if address.session_id is not None:
        payload["session_id"] = address.session_id
    if conversation.title:
        payload["title"] = conversation.title
    if with_messages:
        folds = [fold(view, address.session_id) for view in unstored]
        _add_messages(payload, conversation, folds)
    payload |= _current(conversation, working, live)
    return payload | ({"degraded": True} if degraded else {})


def build_aside(
    address: FeedAddress,
    conversation: Conversation,
    views: Sequence[LogView],
    *,
    degraded: bool = False,
) -> Payload:
    """The same with messages, in another thread if there is much to fold."""

    def work() -> Payload:
        return build(address, conversation, views, degraded=degraded)

    entries = sum(len(view.entries) for view in views)
    return runtime.offload(work) if entries > FOLD_ASIDE else work()


def _is_unstored(conversation: Conversation, view: LogView) -> bool:
    """The rows hold the whole turn once the run has ended; until then only its prompt."""
    run = conversation.runs.get(view.run_id)
    return run.is_open if run is not None else not view.ended


def _ended(views: Sequence[LogView], run: RunInfo) -> bool:
    return any(view.run_id == run.id and view.ended for view in views)


def _add_messages(payload: Payload, conversation: Conversation, folds: list[Fold]) -> None:
    messages: list[Any] = [
        *conversation.messages,
        *(message for f in folds for message in f.messages),
    ]
    payload["total"] = conversation.total + sum(len(f.messages) for f in folds)
    payload["messages"] = messages[-PAGE:]
    payload["hasMore"] = payload["total"] > len(payload["messages"])
    if payload["isWorking"]:
        payload["events"] = [event for f in folds for event in f.events]
        if approvals := [request for f in folds for request in f.approvals]:
            payload["approvals"] = approvals
    if conversation.ends:
        payload["ends"] = conversation.ends


def _current(
    conversation: Conversation, working: Sequence[RunInfo], live: Sequence[LogView]
) -> Payload:
    """The run that the page should watch: the live one, else the newest that waits."""
    if live:
        view = live[-1]
        run = conversation.runs.get(view.run_id)
        state = run.state if run is not None else RunState.RUNNING
        return {
            "run_id": view.run_id,
            "epoch": view.epoch,
            "seq": view.head,
            "status": state.value,
        }
    chosen = next((run for run in working if run.state in LIVE), working[-1] if working else None)
    return {"run_id": chosen.id, "status": chosen.state.value} if chosen is not None else {}
