"""Everything that is known of one run, as text, to find the cause of a violation."""

from __future__ import annotations

import time
from collections.abc import Iterator

from tests.chaos.evidence.evidence import Evidence, Injected, Page, ReceivedEvent
from tests.chaos.judge.sides import stored_text

AROUND = 10.0  # seconds of faults before and after
LINES = 60  # of logs
CUT = 400  # characters


def run_history(evidence: Evidence, run_id: str, logs: dict[str, str]) -> str:
    """All sides of a run. `logs`: what each process wrote, by name."""
    run = evidence.runs.get(run_id)
    lines = [f"===== {run_id}"]
    if run is None:
        return "\n".join([*lines, "no such row"])
    wanted: tuple[str, ...] = (
        "state",
        "reason",
        "session_id",
        "worker",
        "fence",
        "takeovers",
        "epoch",
        "last_seq",
    )
    wanted += ("terminal_seq", "created_at", "first_claimed_at", "ended_at", "announced_at")
    lines.append("row: " + ", ".join(f"{name}={_value(run.get(name))}" for name in wanted))
    lines.append(f"end: {str(run.get('terminal_entries'))[:CUT]}")
    lines += [f"attempt: {row}" for row in evidence.attempts if row["run_id"] == run_id]
    for made in evidence.made_for(run_id):
        last = made.tokens[-1][0] if made.tokens else made.at
        lines.append(
            f"gateway {made.run_id} pid {made.pid}: {_clock(made.at)}-{_clock(last)}, "
            f"{len(made.tokens)} tokens, {made.status or 'no end'}, stops {made.stops}: "
            f"{_both_ends(made.text)}"
        )
    lines.append(f"database: {_both_ends(stored_text(evidence, run_id))}")
    for page in evidence.pages:
        lines.extend(_page(page, run_id, str(run["session_id"])))
    end = run["ended_at"] or time.time()
    lines += [_fault(fault) for fault in evidence.near(run["created_at"] - AROUND, end + AROUND)]
    lines.extend(_written(logs, run_id))
    return "\n".join(lines)


def _fault(fault: Injected) -> str:
    return f"fault: {fault.name} {_clock(fault.at)}-{_clock(fault.until)} {fault.detail}"


def _page(page: Page, run_id: str, session_id: str) -> Iterator[str]:
    """Its events, runs of deltas in one line."""
    if page.session_id != session_id:
        return
    yield f"page {page.tab} {_clock(page.opened)}-{_clock(page.closed)}"
    deltas: list[ReceivedEvent] = []
    for event in page.received:
        if event.name == "message.delta" and event.run_id == run_id:
            deltas.append(event)
            continue
        if event.run_id == run_id or event.shown is not None or event.name == "unrecovered":
            yield from _deltas(deltas)
            deltas = []
            yield f"  {_clock(event.at)} {_line(event, run_id)}"
    yield from _deltas(deltas)


def _deltas(deltas: list[ReceivedEvent]) -> Iterator[str]:
    if deltas:
        first, last = deltas[0], deltas[-1]
        text = "".join(event.text for event in deltas)
        seqs = [event.seq for event in deltas]
        odd = "" if seqs == list(range(first.seq, last.seq + 1)) else f" NOT IN ORDER {seqs}"
        span = f"{_clock(first.at)}-{_clock(last.at)}"
        yield f"  {span} deltas {first.epoch}/{first.seq}-{last.seq}{odd}: {_both_ends(text)}"


def _line(event: ReceivedEvent, run_id: str) -> str:
    text = f"{event.name} {event.run_id} {event.epoch}/{event.seq} {event.detail}"
    if event.shown is None:
        return text
    shown = event.shown["texts"].get(run_id)
    flags = [name for name in ("replay", "degraded", "working") if event.shown[name]]
    return f"{text} {flags} {'not in it' if shown is None else _both_ends(shown)}"


def _written(logs: dict[str, str], run_id: str) -> Iterator[str]:
    for name, log in logs.items():
        for line in [line for line in log.splitlines() if run_id in line][:LINES]:
            yield f"log {name}: {line[:CUT]}"


def _value(value: object) -> object:
    return _clock(value) if isinstance(value, float) else value


def _clock(at: object) -> str:
    assert isinstance(at, float | int)
    return time.strftime("%H:%M:%S", time.localtime(at)) + f".{int(at % 1 * 1000):03}"


def _both_ends(text: str) -> str:
    return repr(text if len(text) <= CUT else f"{text[:80]} … {text[-80:]} ({len(text)})")
