"""The CPU of starts and ends by step: `python -m tests.bench.steps FLAME.txt ...`.

Reads collapsed stacks, as `python -m tests.bench.flame starts --raw` writes them, and counts each
sample for the innermost frame that belongs to a step. What belongs to none is `other`, with its
outermost files.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

# Step -> what one of its frames is named by: `function (file` as py-spy writes them. The first
# that matches counts, so the special ones come first.
STEPS: Final[Sequence[tuple[str, tuple[str, ...]]]] = (
    ("database: disk", ("do_commit (", "do_begin (")),
    ("database", ("sqlalchemy/", "shared/db/")),
    ("HTTP to the gateway", ("requests/", "urllib3/", "http/client.py", "worker/gateway/")),
    ("Redis of logs", ("shared/event_log/", "worker/event_log/", "redis/")),
    ("Celery and its broker", ("celery/", "kombu/", "vine/", "billiard/")),
    ("Socket.IO", ("socketio/", "engineio/", "web/sockets/", "web/transport/")),
    ("feeds and rooms", ("web/relay/", "web/resume/", "web/recovery/", "web/readers/")),
    ("requests", ("web/api/", "web/payloads.py", "pydantic")),
    ("HTTP server", ("eventlet/wsgi", "eventlet/websocket", "web/server/", "web/front.py")),
    ("tokens", ("tiktoken", "conversation/tokens")),
    ("metrics", ("prometheus_client", "shared/metrics")),
    ("log lines", ("logging/",)),
    ("run", ("worker/run/", "worker/run_queue.py", "worker/transcript/", "worker/lease/")),
    ("hub", ("eventlet/", "greenlet")),
)


def main() -> None:
    """Print a table for each file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    for file in parser.parse_args().files:
        found = by_step(file.read_text("utf-8").splitlines())
        total = sum(found.values())
        print(f"{file.stem}: {total} samples")
        for step, count in found.most_common(40):
            print(f"  {100 * count / total:5.1f} %  {step}")


def by_step(lines: Sequence[str]) -> Counter[str]:
    """Samples by step."""
    found: Counter[str] = Counter()
    for line in lines:
        stack, _, count = line.rpartition(" ")
        found[step_of(stack.split(";"))] += int(count)
    return found


def step_of(frames: Sequence[str]) -> str:
    """The step of a stack, whose outermost frame comes first."""
    for frame in reversed(frames):
        for step, names in STEPS:
            if any(name in frame for name in names):
                return step
    return f"other: {frames[-1]}"


if __name__ == "__main__":
    main()
