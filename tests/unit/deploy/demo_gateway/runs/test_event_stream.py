"""The demo gateway's event stream: one queue, one reader, gone when it leaves."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator

import pytest
import requests
from urllib3.exceptions import ProtocolError

from tests.support.deadline import eventually
from tests.support.gateways.demo_gateway import DemoGateway, Event, scripted


@pytest.fixture(scope="module")
def gateway() -> Iterator[DemoGateway]:
    with DemoGateway.start(max_runs=0, keepalive=0.2, session_delay=0) as started:
        yield started


def deltas(events: list[Event]) -> list[str]:
    return [event["delta"] for event in events if event["event"] == "message.delta"]


def as_events(lines: Iterator[bytes]) -> Iterator[Event]:
    return (json.loads(line[6:]) for line in lines if line.startswith(b"data: "))


def test_every_token_comes_once_in_order_and_is_in_the_record(gateway: DemoGateway) -> None:
    run_id = gateway.post(scripted(tokens=3000, rate=0), session_id="s-order")
    events = gateway.events(run_id)
    assert deltas(events) == [f"t{n} " for n in range(1, 3001)]
    assert events[-1]["event"] == "run.completed"
    assert events[-1]["output"] == "".join(deltas(events))
    (run,) = gateway.record("s-order")["runs"]
    assert run["text"] == events[-1]["output"]
    assert (run["tokens_sent"], run["readers_opened"]) == (3000, 1)


def test_every_event_is_one_data_line_with_its_name_run_and_time(gateway: DemoGateway) -> None:
    run_id = gateway.post(scripted(tokens=2, rate=0, reasoning=1, tools={"after": 1}))
    with gateway.reading(run_id) as lines:
        got = list(lines)
    assert all(line == b"" or line.startswith((b"data: ", b": ")) for line in got)
    events = list(as_events(iter(got)))
    assert all({"event", "run_id", "timestamp"} <= event.keys() for event in events)
    assert [event["event"] for event in events] == [
        "reasoning.delta",
        "message.delta",
        "tool.started",
        "tool.completed",
        "message.delta",
        "run.completed",
    ]
    assert b": stream closed" in got[-3:]


def test_two_readers_split_the_tokens(gateway: DemoGateway) -> None:
    run_id = gateway.post(scripted(tokens=40, rate=200, first_delay=0.5))
    with gateway.reading(run_id) as first, gateway.reading(run_id) as second:
        seen: list[list[Event]] = [[], []]

        def read(lines: Iterator[bytes], into: list[Event]) -> None:
            for line in lines:  # keep-alives too: one of them never hears of the end
                into.extend(as_events(iter([line])))
                if len(deltas(seen[0])) + len(deltas(seen[1])) == 40:
                    return

        threads = [
            threading.Thread(target=read, args=(lines, into), daemon=True)
            for lines, into in zip((first, second), seen, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=15)
    # About half each: a reader that is slow for a moment finds some taken.
    assert min(len(deltas(of)) for of in seen) > 5
    assert sorted(deltas(seen[0]) + deltas(seen[1])) == sorted(f"t{n} " for n in range(1, 41))


def test_a_reader_that_leaves_takes_the_stream_along_and_the_run_goes_on(
    gateway: DemoGateway,
) -> None:
    run_id = gateway.post(scripted(tokens=100, rate=40), session_id="s-leave")
    with gateway.reading(run_id) as lines:
        next(as_events(lines))
    eventually(lambda: len(gateway.record("s-leave")["runs"][0]["text"]) > 40)
    answer = gateway.request("GET", f"/v1/runs/{run_id}/events")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "run_not_found"
    assert gateway.status(run_id)["status"] == "running"
    eventually(lambda: gateway.status(run_id)["status"] == "completed")
    assert gateway.record("s-leave")["runs"][0]["tokens_sent"] == 100


def test_a_second_reader_receives_only_keepalives_after_the_first_has_left(
    gateway: DemoGateway,
) -> None:
    run_id = gateway.post(scripted(tokens=1000, rate=50, stop_delay=0))
    with gateway.reading(run_id) as second:
        with gateway.reading(run_id) as first:
            next(as_events(first))
        silent = 0
        for line in second:
            silent = silent + 1 if line == b": keepalive" else 0 if line else silent
            if silent == 3:
                break
    assert silent == 3
    assert gateway.status(run_id)["status"] == "running"
    gateway.request("POST", f"/v1/runs/{run_id}/stop")


def test_a_stream_read_after_the_end_still_has_everything_once(gateway: DemoGateway) -> None:
    run_id = gateway.post(scripted(tokens=5, rate=0))
    eventually(lambda: gateway.status(run_id)["status"] == "completed")
    assert len(deltas(gateway.events(run_id))) == 5
    assert gateway.request("GET", f"/v1/runs/{run_id}/events").status_code == 404


def test_a_silent_stream_sends_keepalives(gateway: DemoGateway) -> None:
    run_id = gateway.post(scripted(tokens=2, rate=0, stall={"after": 1, "seconds": 0.7}))
    with gateway.reading(run_id) as lines:
        got = list(lines)
    assert got.count(b": keepalive") in (2, 3)


def test_tokens_keep_their_pace_after_a_delay_and_a_stall(gateway: DemoGateway) -> None:
    stall = {"after": 5, "seconds": 0.3}
    run_id = gateway.post(scripted(tokens=10, rate=50, first_delay=0.3, stall=stall))
    times = [e["timestamp"] for e in gateway.events(run_id) if e["event"] == "message.delta"]
    assert times[4] - times[0] >= 0.075
    assert times[5] - times[4] >= 0.3
    assert times[9] - times[5] >= 0.06


def test_a_cut_drops_the_connection_but_not_the_run(gateway: DemoGateway) -> None:
    run_id = gateway.post(scripted(tokens=50, rate=100, cut=10), session_id="s-cut")
    seen: list[Event] = []
    with pytest.raises((ProtocolError, requests.ConnectionError)), gateway.reading(run_id) as lines:
        seen.extend(as_events(lines))
    eventually(lambda: gateway.status(run_id)["status"] == "completed")
    assert gateway.record("s-cut")["runs"][0]["tokens_sent"] == 50


@pytest.mark.parametrize(("end", "status"), [("no_end", "completed"), ("failed", "failed")])
def test_the_end_is_the_one_that_the_script_asks_for(
    gateway: DemoGateway, end: str, status: str
) -> None:
    run_id = gateway.post(scripted(tokens=3, rate=0, end=end, error="so it is"))
    names = [event["event"] for event in gateway.events(run_id)]
    assert names == ["message.delta"] * 3 + (["run.failed"] if end == "failed" else [])
    found = gateway.status(run_id)
    assert found["status"] == status
    assert found.get("error") == ("so it is" if end == "failed" else None)


def test_a_silent_end_is_seen_in_the_status_only(gateway: DemoGateway) -> None:
    run_id = gateway.post(scripted(tokens=3, rate=0, end="silent"))
    with gateway.reading(run_id) as lines:
        eventually(lambda: gateway.status(run_id)["status"] == "completed")
        for line in lines:
            assert b"run.completed" not in line
            if line == b": keepalive":
                break


def test_odd_texts_and_giant_events_arrive_as_they_were_made(gateway: DemoGateway) -> None:
    script = scripted(tokens=1, rate=0, nul=True, surrogate=True, event_bytes=3_000_000)
    got = deltas(gateway.events(gateway.post(script)))
    assert got[:2] == ["nul\x00 ", "surrogate\ud800 "]
    assert max(map(len, got)) == 3_000_000


def test_junk_stands_between_the_events(gateway: DemoGateway) -> None:
    kinds = ["broken_json", "not_utf8", "not_an_object", "no_field", "unknown_event", "wrong_types"]
    junk = [{"after": 1, "kind": kind} for kind in kinds]
    with gateway.reading(gateway.post(scripted(tokens=2, rate=0, junk=junk))) as lines:
        got = b"\n".join(lines)
    assert len(re.findall(rb'"delta": ?"t\d ', got)) == 2
    for sign in (
        b"message.del\n",
        b"\xff\xfe",
        b'[1, "two"',
        b"neither",
        b"demo.unknown",
        b'"event": 5',
    ):
        assert sign in got


def test_with_replay_every_reader_gets_everything_from_the_start() -> None:
    with DemoGateway.start(replay=True) as gateway:
        features = gateway.request("GET", "/v1/capabilities").json()["features"]
        assert features["run_events_replay"] is True
        run_id = gateway.post(scripted(tokens=100, rate=400))
        with gateway.reading(run_id) as lines:
            next(as_events(lines))
        for _ in range(2):
            assert deltas(gateway.events(run_id)) == [f"t{n} " for n in range(1, 101)]
