"""What a reader is to do, and what it found: the words between the bench and its client process."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Load:
    """Runs of so many tokens each, so many a second (0: flat out). `starts`: how many of the runs
    are started in a second (0: all at once)."""

    runs: int
    tokens: int
    rate: float = 0.0
    starts: float = 0.0

    @property
    def total(self) -> int:
        """Tokens of all runs."""
        return self.runs * self.tokens


@dataclass(frozen=True)
class Plan:
    """One reading. `urls`: web processes, taken in turn; empty for a direct read."""

    load: Load
    gateway: str
    key: str
    urls: list[str]
    token: str
    pids: dict[str, list[int]]  # whose CPU and memory are noted
    sessions: list[str]  # one per run; runs of a direct read take them as tags only
    deadline: float = 120.0


@dataclass(frozen=True)
class Found:
    """One reading as measured; times in seconds, `latency` in milliseconds per token.

    Latency and CPU of a paced load are those of its steady part, from the moment when all runs
    have begun to the first one's end; `steady_tokens` came in it. All of a load is steady that is
    flat out, or whose runs start one after the other.
    """

    tokens: int
    steady_tokens: int
    seconds: float  # from the first request to the last token
    seconds_to_end: float  # to the last end
    first_token: list[float]
    latency_p50: float
    latency_p99: float
    latency_max: float
    frames: int
    cpu: dict[str, float]
    memory: dict[str, int]  # growth of resident bytes at its highest
    faults: list[str] = field(default_factory=list)  # loss, order, ends that were no completion

    @property
    def rate(self) -> float:
        """Tokens per second."""
        return self.tokens / self.seconds

    def cpu_per_token(self, role: str) -> float:
        """Microseconds."""
        return 1e6 * self.cpu.get(role, 0.0) / max(1, self.steady_tokens)
