"""Every token of a run: that it came, once, in order; and how long it was on its way."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.bench.load.run_readers import RunReader


@dataclass
class Verdict:
    """One run, judged. Latencies in milliseconds, one per token of the steady part."""

    tokens: int = 0
    first_at: float = 0.0
    last_at: float = 0.0  # of a token
    ended_at: float = 0.0
    latencies: array[float] = field(default_factory=lambda: array("d"))
    faults: list[str] = field(default_factory=list)


def judge(
    line: RunReader,
    name: str,
    tokens: int,
    said_at: Sequence[float],
    steady: tuple[float, float],
) -> Verdict:
    """`said_at`: when the gateway said each token; `steady`: the part whose latencies count."""
    found, seq, end, text = Verdict(), 0, "", []
    for at, event in line.events():
        if "seq" in event:
            if event["seq"] != seq + 1:
                found.faults.append(f"{name}: seq {event['seq']} after {seq}")
            seq = int(str(event["seq"]))
        if event["event"] == "message.delta":
            delta = str(event["delta"])
            text.append(delta)
            count = delta.count(" ")
            if steady[0] <= at <= steady[1]:
                said = said_at[found.tokens : found.tokens + count]
                found.latencies.extend(1000 * (at - then) for then in said)
            found.first_at = found.first_at or at
            found.tokens += count
            found.last_at = at
        elif str(event["event"]) in {"run.completed", "run.failed", "run.cancelled"}:
            end = " ".join(
                str(event.get(name, "")) for name in ("event", "reason", "error")
            ).strip()
            found.ended_at = at
    wanted = "".join(f"{n} " for n in range(1, tokens + 1))
    if "".join(text) != wanted:
        found.faults.append(f"{name}: {found.tokens} of {tokens} tokens, or not in order")
    if not end.startswith("run.completed"):
        found.faults.append(f"{name}: ended with {end or 'nothing'}")
    return found
