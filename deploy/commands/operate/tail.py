"""`holdfast runs tail`: the events of a run while they come, until it has ended."""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from deploy.commands.operate.installation import Installation
from deploy.commands.operate.runs import facts_of
from shared.db.operations.runs_of_all import RunFacts
from shared.event_log.keys import RunKeys, feed_tag
from shared.event_log.types import LogView
from shared.log_setup import visible
from shared.protocol.events import DELTAS, decode
from shared.protocol.run_states import ENDED, RunState

EVERY: Final = 0.2  # seconds between two looks
EXIT_CODES: Final = {RunState.COMPLETED: 0, RunState.FAILED: 4, RunState.ABORTED: 5}
#: Fields that hold no contents.
SHOWN: Final = ("seq", "tool", "status", "reason", "mode", "attempt", "delay", "finish_reason")


def tail_run(
    here: Installation,
    run_id: str,
    *,
    with_text: bool,
    as_json: bool,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Print the events of the run as they come; without `with_text` none of their contents. The
    exit code is 0, 4 or 5, for a run that completed, failed or was aborted."""
    run = facts_of(here, run_id)
    keys = RunKeys(feed_tag(run.owner, run.session_id, run.id), run.id)
    place = (0, 0)  # epoch and seq of the last event that was printed
    while True:
        run = facts_of(here, run_id)  # before its log: what comes in between is printed next time
        view = _read(here, keys, place)
        if view is not None:
            place = _print_new(view, place, with_text=with_text, as_json=as_json)
        if run.state in ENDED and (view is None or view.ended):
            return _end(run)
        sleep(EVERY)


def _read(here: Installation, keys: RunKeys, place: tuple[int, int]) -> LogView | None:
    """What is new in the log; all of it, if it began anew."""
    epoch, seq = place
    view = here.event_log.read([(keys, seq)])[0]
    if view is not None and view.epoch != epoch and seq:
        return here.event_log.read([(keys, 0)])[0]
    return view


def _print_new(
    view: LogView, place: tuple[int, int], *, with_text: bool, as_json: bool
) -> tuple[int, int]:
    for number, entry in enumerate(view.entries):
        seq = view.first + number
        if (view.epoch, seq) > place:
            _print(*decode(entry), with_text=with_text, as_json=as_json)
    return max(place, (view.epoch, view.head))


def _print(name: str, payload: Mapping[str, Any], *, with_text: bool, as_json: bool) -> None:
    if as_json:
        fields = payload if with_text else {"event": name, **_without_contents(payload)}
        if with_text or name not in DELTAS:
            print(json.dumps(fields), flush=True)
    elif name not in DELTAS:
        words = " ".join(f"{field}={value}" for field, value in _without_contents(payload).items())
        print(f"{name} {words}", flush=True)
    elif with_text:
        for line in str(payload.get("delta") or payload.get("text") or "").splitlines(True):
            print(visible(line.rstrip("\n")), end="\n" * line.endswith("\n"), flush=True)


def _without_contents(payload: Mapping[str, Any]) -> dict[str, Any]:
    return {field: payload[field] for field in SHOWN if payload.get(field) is not None}


def _end(run: RunFacts) -> int:
    print(f"{run.id}: {run.state}{f' ({run.reason})' if run.reason else ''}")
    return EXIT_CODES[run.state]
