"""What a page showed of each run in the end: a fold of its events that knows no product code."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.chaos.evidence.evidence import Page, ReceivedEvent

RESYNC_WITHIN = 5.0  # seconds: a sweep of the relay
ENDS = frozenset({"run.completed", "run.failed", "run.cancelled"})


@dataclass
class View:
    """One run on one page."""

    run_id: str
    text: str = ""
    epoch: int = 0
    seq: int = 0
    ends: int = 0
    over: bool = False  # its end was received, or it was shown as ended
    resync: bool = False  # the end said: read again
    unsure: bool = False  # a degraded answer is incomplete; the next one must repair it
    gap: str = ""  # the end came without what precedes it; the session must be shown anew, soon
    gap_at: float = 0.0
    problems: list[str] = field(default_factory=list)


def views(page: Page) -> dict[str, View]:
    """By run id."""
    found: dict[str, View] = {}
    for event in page.received:
        if event.shown is not None:
            _show(found, event, event.shown)
        elif event.run_id and event.seq:
            _event(found.setdefault(event.run_id, View(event.run_id)), event)
        elif event.run_id and event.name in ENDS:  # without a run: a refused prompt (P4)
            _end(found.setdefault(event.run_id, View(event.run_id)), event)
    for view in found.values():
        if view.gap:
            view.problems.append(view.gap)
    return found


def _show(found: dict[str, View], event: ReceivedEvent, shown: dict[str, object]) -> None:
    """The whole session anew: what was there before counts no more."""
    if shown["replay"]:
        return
    texts = shown["texts"]
    assert isinstance(texts, dict)
    if shown["degraded"]:
        for view in (*found.values(), found.setdefault(event.run_id, View(event.run_id))):
            view.unsure = True
        return
    for run_id in {*found, *texts}:
        view = found.setdefault(run_id, View(run_id))
        followed = run_id == event.run_id and bool(shown["working"])
        live = run_id == event.run_id and event.epoch > 0
        if live or followed or run_id in texts:
            view.text = texts.get(run_id, "")
            view.unsure = False
            if event.at - view.gap_at <= RESYNC_WITHIN:
                view.gap = ""
        if live or followed:  # followed without a cursor: its log is lost, another one will begin
            view.epoch, view.seq, view.over = event.epoch, event.seq, False
        elif run_id in texts and run_id != event.run_id:
            view.over, view.resync = True, False


def _event(view: View, event: ReceivedEvent) -> None:
    at = f"{event.name} seq {event.epoch}/{event.seq}"
    if view.unsure and event.seq == 1 and not view.over:
        view.text, view.epoch, view.seq = "", 0, 0  # the degraded answer had nothing of the run
    if view.over:
        view.problems.append(f"after the end: {at}")
    elif view.epoch and event.epoch != view.epoch:
        view.problems.append(f"epoch changed without session.resync: {at}, had {view.epoch}")
    elif event.seq <= view.seq:
        view.problems.append(f"doubled: {at}, had {view.seq}")
    elif event.seq > view.seq + 1 and not view.unsure:
        gap = f"gap: {at}, had {view.seq}"
        if event.name in ENDS:
            view.gap, view.gap_at = gap, event.at
        else:
            view.problems.append(gap)
    view.epoch, view.seq = event.epoch, event.seq
    view.text += event.text
    if event.name in ENDS:
        _end(view, event)


def _end(view: View, event: ReceivedEvent) -> None:
    view.ends += 1
    if view.ends > 1:
        view.problems.append(f"ended twice: {event.name} seq {event.seq}")
    view.over = True
    view.resync = event.detail.endswith("/resync")
