"""Spoiled answers and streams of whole runs pass the boundary: typed, storable, their text kept.

ANY_ANSWER_RUNS: how many, from the seed ANY_ANSWER_SEED on.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from random import Random
from typing import Any

import orjson
import pytest

from shared.conversation.history import Format, build
from shared.conversation.history_size import sent_text
from shared.errors import GatewayError
from shared.event_log.keys import RunKeys
from shared.protocol.state_events import StateEvents
from tests.support.gateways.odd_json import body, spoiled
from tests.support.gateways.odd_run import Run
from tests.support.storable import check, check_row
from worker.event_log.run_log import RunLog
from worker.gateway import boundary, boundary_rows
from worker.gateway.delta_merge import merge_deltas
from worker.gateway.exchange import Answer
from worker.gateway.models import GatewayMessage, GatewayTranscript
from worker.gateway.responses import read_answer, started_run
from worker.gateway.stream.sse_parser import EventParser
from worker.gateway.translate_events import gateway_end, translate
from worker.outcome import end_of_status, of_gateway
from worker.transcript.reconcile import reconcile
from worker.transcript.tail import output_tail, tail

RUNS = int(os.environ.get("ANY_ANSWER_RUNS", "300"))
FIRST = int(os.environ.get("ANY_ANSWER_SEED", "1"))
FORMATS: tuple[Format, ...] = ("text", "openai", "anthropic")
PART = re.compile(r"<\d+\.\d+> ")
GROUPS = 20
ABOUT = {
    "platform": "hermes-agent",
    "pid": 7,
    "active_agents": 0,
    "features": {"run_events_replay": True},
    "readiness": {"checks": {"background_queues": {"active_api_runs": 0}}},
    "data": [{"id": "a", "parent_session_id": "b", "started_at": 1.0, "message_count": 3}],
    "has_more": False,
}


@pytest.mark.parametrize("group", range(GROUPS))
def test_any_run_leaves_what_can_be_stored_and_its_text(group: int) -> None:
    for seed in range(FIRST + group, FIRST + RUNS, GROUPS):
        try:
            one_run(Random(seed), Run.planned(seed, good=False, eph="eph"))
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise


def one_run(random: Random, run: Run) -> None:
    """All answers of it, its stream, and what is made of both."""
    run.odd |= {"events"}
    answered(random, run)
    about(random)
    log = streamed(random, run)
    stored(random, run, log)


def sent(random: Random, what: Any) -> dict[str, Any] | None:
    """The answer as it is read; None for one that is none."""
    answer = Answer(random.choice([200, 200, 200, 404, 302, 500]), {}, body(random, what, True))
    try:
        return read_answer(answer, "GET /x")
    except GatewayError as error:
        check(str(error))
        return None


def answered(random: Random, run: Run) -> None:
    for code in (200, 202, 400, 413, 422, 301, 503):
        posted = {"run_id": run.id, "status": "started", "error": {"message": "m"}, "detail": "d"}
        data = body(random, spoiled(random, posted, 0.3), True)
        try:
            check(started_run(Answer(code, {}, data)))
        except GatewayError as error:
            check(str(error))
    if (found := sent(random, spoiled(random, run.said("status", random), 0.2))) is not None:
        status = boundary.run_status(found)
        check(status)
        for stopped in (True, False):
            check(of_gateway(end_of_status(status), stop_requested=stopped, timed_out_run=False))


def about(random: Random) -> None:
    if (found := sent(random, spoiled(random, ABOUT, 0.2))) is not None:
        for value in (boundary.work(found), boundary.capabilities(found)):
            check(value)
        if (page := boundary.session_page(found, 200)) is not None:
            check(list(page.rows))


def streamed(random: Random, run: Run) -> RunLog:
    """The log of its stream; the text in whole deltas is in it, whatever came between."""
    log = RunLog(RunKeys("t", "run_1"), fence=1, epoch=1, head=0, session_id="s")
    states = StateEvents()
    for events in reads(random, run):
        for event in merge_deltas(events):
            end = gateway_end(event)
            if end is not None:
                check(end)
                check(output_tail(log.transcript.messages(), end.output or "").events)
                continue
            for name, payload in translate(event, 65_536):
                check(payload)
                log.add(name, payload)
                states.apply({**payload, "event": name})
        while log.freeze() is not None:
            log.acknowledge()
    assert not log.broke_off
    log.fold()
    check(states.to_state(), levels=40)
    check(log.transcript.messages())
    told = "".join(message["content"] for message in log.transcript.messages())
    assert [part for part in PART.findall(told) if part in run.parts] == run.parts
    return log


def reads(random: Random, run: Run) -> Iterator[list[dict[str, Any]]]:
    end = random.choice([b"\n\n", b"\r\n\r\n", b"\r\r"])
    lines = [frame.replace(b"\n", b" ").replace(b"\r", b" ") for frame, _ in run.frames()]
    data = b"".join(b"data: " + line + end for line in lines)
    parser, at = EventParser(10**7), 0
    while at < len(data):
        size = random.choice([1, 7, 60, 1000, 65_536])
        yield parser.feed(data[at : at + size])
        at += size
    yield parser.end()


def stored(random: Random, run: Run, log: RunLog) -> None:
    """The rows of the turn, with the gateway's transcript and without, and the next request."""
    shown = log.transcript.messages()
    answer = sent(random, spoiled(random, run.said("messages", random), 0.1))
    found = boundary.transcript(answer, "eph") if answer is not None else None
    if (told := sent(random, spoiled(random, run.said("session", random), 0.2))) is not None:
        check(boundary_rows.session(told.get("session"), "eph"))
    messages: list[GatewayMessage] = list(found.messages) if found is not None else []
    check(tail(shown, messages).events)
    for taken in (found, GatewayTranscript("eph", messages), None):
        turn = reconcile(shown, taken, "eph", "stop", stopped=random.random() < 0.5)
        for row in turn.rows:
            check_row(row)
        for wanted in FORMATS:
            orjson.dumps(build(turn.rows, wanted))
            for row in turn.rows:
                check(sent_text(row, wanted))
