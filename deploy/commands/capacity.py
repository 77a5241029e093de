"""How many processes, connections and how much memory so many users need. Pure.

The costs are those that `docs/PERFORMANCE.md` has measured, rounded up; `docs/CAPACITY.md` explains
them.
"""

import math
from dataclasses import dataclass
from typing import Final

LOAD: Final = 0.6  # of a core that one process may use on average; each uses one core at most
WEB_TOKEN_US: Final = 40  # microseconds of CPU per token that reaches one socket
WORKER_TOKEN_US: Final = 60
REDIS_TOKEN_US: Final = 20
WEB_RUN_MS: Final = 15  # milliseconds of CPU for start and end of a run
WORKER_RUN_MS: Final = 25
RUN_SECONDS: Final = 20  # how long a run takes
SOCKETS: Final = 5_000  # of one web process: it opens 1,500 a second when all come back
IDLE_SOCKETS_LOAD: Final = 0.01  # of a core for so many idle ones
RUNS: Final = 140  # live runs of one worker: 70 % of WORKER_CONCURRENCY, so that one may fail
WEB_MB: Final = 200
WORKER_MB: Final = 250
SOCKET_KB: Final = 10
RUN_KB: Final = 500  # of a live run in its worker, and of its log in Redis
DATABASE_CONNECTIONS: Final = 20  # of a process at most
REDIS_CONNECTIONS: Final = 60  # of a process, about, and one for each live run's message at most


@dataclass(frozen=True)
class Capacity:
    """What is needed. Memory in MB, of all processes of a role together."""

    live_runs: int
    web: int
    workers: int
    redis_servers: int
    database_connections: int
    redis_connections: int
    web_mb: int
    worker_mb: int
    redis_mb: int


def capacity(users: int, *, active: float = 0.05, rate: float = 50.0) -> Capacity:
    """`users`: that are connected at once; `active`: the share of them with a live run; `rate`:
    tokens per second of a run. Two of each role is the least, so that one may be replaced."""
    live = math.ceil(users * active)
    tokens = live * rate
    starts = live / RUN_SECONDS  # and ends, per second
    web_load = tokens * WEB_TOKEN_US / 1e6 + starts * WEB_RUN_MS / 1e3
    web_load += users / SOCKETS * IDLE_SOCKETS_LOAD
    worker_load = tokens * WORKER_TOKEN_US / 1e6 + starts * WORKER_RUN_MS / 1e3
    web = max(2, _processes(web_load), math.ceil(users / SOCKETS) + 1)
    workers = max(2, _processes(worker_load), math.ceil(live / RUNS) + 1)
    others = 3  # two maintenance processes and beat
    return Capacity(
        live_runs=live,
        web=web,
        workers=workers,
        redis_servers=_processes(tokens * REDIS_TOKEN_US / 1e6),
        database_connections=(web + workers + others) * DATABASE_CONNECTIONS + workers,
        redis_connections=(web + workers + others) * REDIS_CONNECTIONS,
        web_mb=web * WEB_MB + users * SOCKET_KB // 1000,
        worker_mb=workers * WORKER_MB + live * RUN_KB // 1000,
        redis_mb=100 + live * RUN_KB // 1000,
    )


def _processes(load: float) -> int:
    return max(1, math.ceil(load / LOAD))
