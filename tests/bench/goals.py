"""What the numbers should be, on two cores with everything on one machine."""

from __future__ import annotations

from dataclasses import dataclass

from tests.bench import sessions


@dataclass(frozen=True)
class Goal:
    """A number of a case of a scenario, and where it should be."""

    work: str
    scenario: str
    case: str
    number: str
    most: float | None = None
    least: float | None = None

    @property
    def words(self) -> str:
        """`<= 15`."""
        return f"<= {self.most:g}" if self.most is not None else f">= {self.least:g}"

    def mark(self, value: float) -> str:
        """Nothing when it is reached, else by how much it is missed."""
        limit = self.most if self.most is not None else self.least
        assert limit is not None
        missed = value > limit if self.most is not None else value < limit
        return f", missed: {value / limit:.2g} times the goal" if missed else ""


FLAT, PACED, ONE = "20 runs flat out", "200 runs at 50/s", "one run, idle system"
AT_ONCE, LONG = "500 at once", "200 long runs, 50 a second"
RATIO = "tokens/s ratio"

GOALS = [
    Goal("20 runs flat out: tokens/s, of the direct read's", "goals", FLAT, RATIO, least=0.9),
    Goal("the same: CPU us per token, web + worker + Redis", "goals", FLAT, "cpu ours us", 6),
    Goal("200 runs at 50 tokens/s: p50 added per token, ms", "goals", PACED, "added p50 ms", 15),
    Goal("the same: p99 added per token, ms", "goals", PACED, "added p99 ms", 60),
    Goal("the same: CPU us per token, web + worker + Redis", "goals", PACED, "cpu ours us", 90),
    Goal("one run, idle system: first token added, ms", "goals", ONE, "added first token ms", 8),
    Goal("500 runs of 20 tokens at once: runs/s", "starts", AT_ONCE, "runs/s", least=120),
    Goal("the same: CPU ms per run, web + worker + Redis", "starts", AT_ONCE, "cpu ms/run", 10),
    Goal(
        "200 runs at 50 tokens/s, 50 starts/s: p99 added per token, ms, starts and ends in",
        "starts",
        LONG,
        "added p99 ms",
        60,
    ),
    Goal("the same: CPU us per token, all in", "starts", LONG, "cpu us/token", 130),
    Goal("`resume`, 400 messages, 400 KB, ms", "sessions", sessions.RESUME_400, "ms", 15),
    Goal(
        "`resume`, 2,000 messages, the last 500 sent, ms",
        "sessions",
        sessions.RESUME_2000,
        "ms",
        25,
    ),
    Goal("first token on 2,000 messages, 2 MB, ms", "sessions", sessions.FIRST_2000, "ms", 120),
    Goal(
        "web process without a socket of the busy sessions, % CPU",
        "bystander",
        "bystander",
        "cpu %",
        2,
    ),
    Goal(
        "5,000 idle sockets on one web process, KB each",
        "idle_sockets",
        "5000 sockets",
        "KB/socket",
        20,
    ),
]
