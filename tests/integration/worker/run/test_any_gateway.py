"""Whatever a gateway sends, at whatever moment: the run ends within its clock, its text is kept, no
other run notices, and nothing is logged as a fault of ours (CASES C1, C3, C7, C10, C25).

ANY_GATEWAY_RUNS: how many runs, from the seed ANY_GATEWAY_SEED on. More than a few hundred need
`-o faulthandler_timeout=3600`, too.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import pytest

from shared.protocol.events import TERMINAL
from shared.protocol.run_states import RunState
from tests.support.gateways.odd_run import Run
from tests.support.odd_stand import GOOD, OddStand, Seen
from tests.support.rows import add_session
from tests.support.servers.redis_server import RedisServer

RUNS = int(os.environ.get("ANY_GATEWAY_RUNS", "40"))
FIRST = int(os.environ.get("ANY_GATEWAY_SEED", "1"))
AT_ONCE = 8
PART = re.compile(r"<\d+\.\d+> ")


@pytest.fixture
def stand(
    tmp_path: Path, database_url: str, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[OddStand]:
    made = OddStand(tmp_path, database_url, redis_server, monkeypatch)
    yield made
    made.stop()


def is_good(seen: Seen, seed: int) -> None:
    """A run without fault, whatever was beside or before it."""
    text = Run.planned(seed, good=True).text
    assert (seen.run.state, seen.shown, seen.stored) == (RunState.COMPLETED, text, text)
    assert seen.names[-1] == "run.completed"


def one_session(stand: OddStand, seed: int) -> None:
    """The turn of this seed, and one without fault after it in the same session."""
    seen = stand.odd_turn(seed)
    assert [name for name in seen.names if name in TERMINAL] == seen.names[-1:]
    shown = PART.findall(seen.shown)
    assert PART.findall(seen.stored)[: len(shown)] == shown
    run = stand.gateway.runs.get(f"gw_{seed}_False")
    if run is not None and not run.stopped and seen.run.stop_requested_at is None:
        assert shown[: len(run.kept)] == run.kept
    if seen.run.state == RunState.FAILED:
        assert seen.run.reason != "internal"
    is_good(stand.good_turn(seed, f"s{seed}", Random(seed).choice(GOOD)), seed)


def test_every_run_ends_with_its_text_and_no_other_run_notices(stand: OddStand) -> None:
    over = threading.Event()
    faults: list[str] = []

    def beside() -> None:
        number = 10**6
        while not over.is_set():
            number += 1
            add_session(stand.services.db, f"beside{number}")
            is_good(stand.good_turn(number, f"beside{number}", "text"), number)

    def guarded(seed: int) -> None:
        try:
            one_session(stand, seed)
        except Exception as error:  # noqa: BLE001 - all of them are told
            faults.append(f"seed {seed}: {type(error).__name__}: {error}"[:3000])

    with ThreadPoolExecutor(AT_ONCE + 1) as pool:
        healthy = pool.submit(beside)
        list(pool.map(guarded, range(FIRST, FIRST + RUNS)))
        over.set()
        healthy.result()
    stand.maintain()
    assert not faults, "\n\n".join([f"{len(faults)} faults", *faults[:10], *stand.log.found[:3]])
    assert not stand.log.found, "\n\n".join(stand.log.found[:10])
