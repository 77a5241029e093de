"""What tests have the demo gateway say, and what must then be received."""

from __future__ import annotations

from typing import Any

from tests.support.gateways.demo_gateway import scripted
from tests.support.recording import Recording


def numbered(count: int) -> str:
    """The answer that `tokens=count` makes."""
    return "".join(f"t{n} " for n in range(1, count + 1))


def talk(tokens: int = 20, rate: float = 200.0, **fields: Any) -> str:
    """An input that is answered with so many tokens per second."""
    return scripted(tokens=tokens, rate=rate, **fields)


def assert_whole(recording: Recording, run_id: str, tokens: int) -> None:
    """Wait for the end; from start to end every event of the run came once and in order."""
    recording.end(run_id)
    names = recording.names(run_id)
    assert names.count("run.started") == 1, names
    assert names[-2:] == ["usage.updated", "run.completed"], names
    seqs = recording.seqs(run_id)
    assert seqs == list(range(1, len(seqs) + 1))
    assert recording.deltas(run_id) == numbered(tokens)
