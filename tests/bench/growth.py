"""`python -m tests.bench.growth`: what many sessions and live runs need, from what one costs.

A model and a simulation, not a measurement: the unit costs are those of docs/PERFORMANCE.md, taken
on one machine; the simulation adds what an average hides, the unevenness of sessions over servers
and of runs over time.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import random
from collections import Counter
from dataclasses import dataclass

from shared.event_log.shards import shard_of

FULL = 0.6  # of a core that a process may use on the average: the rest is for the uneven moments


@dataclass(frozen=True)
class Costs:
    """Of one unit. Processor time of one core; 200 runs at 50 tokens/s, one socket per run."""

    worker_start_ms: float = 15.5
    web_start_ms: float = 8.0
    worker_token_us: float = 40.0
    web_token_us: float = 24.0
    redis_token_us: float = 15.0
    redis_token_bytes: float = 220.0
    socket_kb: float = 7.3
    transactions_per_run: float = 8.0
    renewals_per_worker_s: float = 1 / 3.0


@dataclass(frozen=True)
class Load:
    """`runs` are live at a time; each lasts `seconds` and says `rate` tokens a second."""

    sessions: int
    runs: int
    rate: float = 50.0
    seconds: float = 30.0

    @property
    def starts(self) -> float:
        """Runs that start, and end, each second."""
        return self.runs / self.seconds

    @property
    def tokens(self) -> float:
        """Tokens each second."""
        return self.runs * self.rate


@dataclass(frozen=True)
class Need:
    """Processes of one core each, and what else."""

    web: int
    workers: int
    redis: int
    database_transactions: float  # per second
    web_gb: float
    redis_gb: float


def need(load: Load, costs: Costs, kept_seconds: float = 60.0) -> Need:
    """What the load needs. `kept_seconds`: how long a log's entries stay, cut by checkpoints."""
    web = load.starts * costs.web_start_ms / 1e3 + load.tokens * costs.web_token_us / 1e6
    worker = load.starts * costs.worker_start_ms / 1e3 + load.tokens * costs.worker_token_us / 1e6
    redis = load.tokens * costs.redis_token_us / 1e6
    workers = math.ceil(worker / FULL)
    return Need(
        web=math.ceil(web / FULL),
        workers=workers,
        redis=math.ceil(redis / FULL),
        database_transactions=load.starts * costs.transactions_per_run
        + workers * costs.renewals_per_worker_s,
        web_gb=load.sessions * costs.socket_kb / 1e6,
        redis_gb=load.tokens * kept_seconds * costs.redis_token_bytes / 1e9,
    )


def busiest_server(load: Load, servers: int, seed: int) -> float:
    """Tokens/s of the busiest log server, of the average one's: live runs are drawn at random."""
    draw = random.Random(seed)
    tags = (hashlib.sha256(str(draw.random()).encode()).hexdigest() for _ in range(load.runs))
    counts = Counter(shard_of(tag, servers) for tag in tags)
    return max(counts.values()) / (load.runs / servers)


def busiest_second(load: Load, seed: int, seconds: int = 600) -> float:
    """Starts in the busiest of so many seconds, of the average one's: people come as they like."""
    draw = random.Random(seed)
    mean = load.starts
    most = 0.0
    for _ in range(seconds):
        most = max(most, draw.gauss(mean, math.sqrt(mean)))
    return most / mean


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    seed: int = parser.parse_args().seed
    costs = Costs()
    print(
        "| open sessions | live runs | starts/s | tokens/s | web | workers | log servers |", end=""
    )
    print(" transactions/s | sockets GB | logs GB | busiest server | busiest second |")
    print("| ---: " * 12 + "|")
    for sessions, runs in ((1_000, 100), (10_000, 1_000), (100_000, 10_000), (1_000_000, 100_000)):
        load = Load(sessions, runs)
        found = need(load, costs)
        print(
            f"| {sessions:,} | {runs:,} | {load.starts:,.0f} | {load.tokens:,.0f} | {found.web} "
            f"| {found.workers} | {found.redis} | {found.database_transactions:,.0f} "
            f"| {found.web_gb:.1f} | {found.redis_gb:.1f} "
            f"| {busiest_server(load, found.redis, seed):.2f} | {busiest_second(load, seed):.2f} |"
        )


if __name__ == "__main__":
    main()
