"""`GET /v1/runs/{id}/events` on a real web process: whole, in order, once, from any position."""

from __future__ import annotations

import json
import signal
import socket
import threading
import time
import uuid
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import update

from shared.db.clock import DbNow
from shared.db.models import MessageRow, RunRow
from shared.db.runs.terminal import fix_end
from shared.event_log.store import Batch
from shared.protocol.events import decode
from shared.protocol.run_states import Move
from shared.protocol.state_events import StateEvents
from shared.protocol.transcript import Transcript
from tests.integration.web.api.http.conftest import Api
from tests.integration.web.test_process import start_web
from tests.support.http_api import ApiClient, BackgroundReader, Frame, text_of
from tests.support.servers.processes import RunningProcess, wait_until
from tests.support.web_stand import LiveRun, without_notification


@pytest.fixture
def session_id() -> str:
    return f"session-{uuid.uuid4().hex}"


def live(api: Api, session_id: str | None) -> LiveRun:
    """A run of Alice that a worker has begun."""
    return api.begin(api.alice.start("hello", session_id), session_id)


def finish(
    api: Api, run: LiveRun, session_id: str | None, *texts: str, announce: bool = True
) -> None:
    """Store the answer and the end as a worker does, and announce them."""

    def work(tx: Any) -> None:
        row = tx.get(RunRow, run.keys.run_id)
        for index, text in enumerate(texts, start=1):
            if session_id is None:
                break
            tx.add(
                MessageRow(
                    owner="alice",
                    session_id=session_id,
                    run_id=row.id,
                    turn_no=row.turn_no,
                    idx=index,
                    role="assistant",
                    content=text,
                    timestamp=time.time(),
                )
            )
        entries: Any = [
            ("usage.updated", {"inputTokens": 1, "outputTokens": 1}),
            ("run.completed", {"status": "completed", "finish_reason": "stop"}),
        ]
        output = texts[-1] if texts else ""
        fix_end(tx, row, Move.COMPLETE, entries, last_seq=run.head, output=output)

    api.stand.db.write(work)
    if announce:
        run.end()
        query = update(RunRow).where(RunRow.id == run.keys.run_id)
        api.stand.db.write(lambda tx: tx.execute(query.values(announced_at=DbNow())))


def fold(api: Api, run: LiveRun, up_to: int) -> None:
    """Replace the entries up to that seq by their fold, as the publisher does."""
    view = api.stand.log.read([(run.keys, 0)])[0]
    assert view is not None
    transcript, state = Transcript(run.keys.run_id, "s"), StateEvents()
    for entry in view.entries[:up_to]:
        transcript.apply(decode(entry)[1])
        state.apply(decode(entry)[1])
    folded = {"transcript": transcript.to_state(), "state_events": state.to_state()}
    api.stand.log.checkpoint(run.keys, fence=run.fence, seq=up_to, fold=json.dumps(folded).encode())


def seqs(frames: list[Frame]) -> list[int]:
    return [frame.event["seq"] for frame in frames if "seq" in frame.event]


@pytest.mark.parametrize("has_session", [True, False])
def test_a_live_run_is_read_to_its_end_in_the_gateways_shape(
    api: Api, session_id: str, has_session: bool
) -> None:
    session = session_id if has_session else None
    run = live(api, session)
    run.say("a", "b")
    with api.alice.events(run.keys.run_id).response as response:
        assert response.status_code == 200
        assert response.headers["Content-Type"].startswith("text/event-stream")
        assert response.headers["Cache-Control"] == "no-cache"
    reader = BackgroundReader(api.alice, run.keys.run_id)
    wait_until(lambda: len(reader.frames) == 2, what="what was")
    run.say("c")
    wait_until(lambda: len(reader.frames) == 3, what="what follows")
    finish(api, run, session, "abc")
    frames = reader.wait()
    assert (text_of(frames), seqs(frames)) == ("abc", [1, 2, 3, 4, 5])
    assert all(frame.event["run_id"] == run.keys.run_id for frame in frames)
    assert all(isinstance(frame.event["timestamp"], float) for frame in frames)
    assert len({frame.id for frame in frames}) == 5
    end = frames[-1].event
    assert (end["event"], end["output"]) == ("run.completed", "abc")
    assert end["usage"] == {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}


def test_a_reader_of_a_queued_run_waits_for_it(api: Api, session_id: str) -> None:
    run_id = api.alice.start("x", session_id)
    reader = BackgroundReader(api.alice, run_id)
    time.sleep(0.3)
    run = api.begin(run_id, session_id)
    run.say("a")
    wait_until(lambda: text_of(reader.frames) == "a", what="its first text")
    finish(api, run, session_id, "a")
    assert seqs(reader.wait()) == [1, 2, 3]


def test_a_queued_run_that_is_cancelled_ends_its_stream(api: Api, session_id: str) -> None:
    api.alice.start("x", session_id)
    run_id = api.alice.start("x", session_id)
    reader = BackgroundReader(api.alice, run_id)
    time.sleep(0.2)
    api.alice.post(f"/v1/runs/{run_id}/stop")
    assert [frame.event["event"] for frame in reader.wait()] == ["run.cancelled"]


def test_events_of_other_runs_of_the_session_are_not_sent(api: Api, session_id: str) -> None:
    first = live(api, session_id)
    reader = BackgroundReader(api.alice, api.alice.start("second", session_id))
    time.sleep(0.2)
    first.say("not for the second")
    finish(api, first, session_id, "not for the second")
    second = api.begin(reader.run_id, session_id)
    second.say("yes")
    finish(api, second, session_id, "yes")
    assert text_of(reader.wait()) == "yes"


POSITIONS = ["header", "last_event_id", "since", "cursor", "starting_after"]


@pytest.mark.parametrize("how", POSITIONS)
@pytest.mark.parametrize("ended", [True, False])
def test_a_position_is_gone_on_after(api: Api, session_id: str, how: str, ended: bool) -> None:
    run = live(api, session_id)
    run.say(*"abcdef")
    first = api.alice.events(run.keys.run_id)
    had = first.until("message.delta", 3)
    first.close()
    if ended:
        finish(api, run, session_id, "abcdef")
    for position in (had[-1].id, "3"):
        if how == "header":
            stream = api.alice.events(run.keys.run_id, "?since=1", Last_Event_ID=position)
        else:
            stream = api.alice.events(run.keys.run_id, f"?{how}={position}")
        rest = list(stream) if ended else stream.until("message.delta", 3)
        stream.close()
        assert text_of(had) + text_of(rest) == "abcdef"
        assert seqs(rest)[:3] == [4, 5, 6]
        assert rest[2].id != had[-1].id


@pytest.mark.parametrize(
    "position", ["nonsense", "-1", "1.5", "1-2-3", "9" * 40, "7", "1-1-1-1-1-9-00000000", "%00"]
)
def test_a_position_that_makes_no_sense_is_refused(
    api: Api, session_id: str, position: str
) -> None:
    run = live(api, session_id)
    run.say("a")
    answer = api.alice.get(f"/v1/runs/{run.keys.run_id}/events?since={position}")
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "invalid_position"


def test_who_has_the_end_is_only_told_that_the_stream_is_closed(api: Api, session_id: str) -> None:
    run = live(api, session_id)
    run.say("a")
    finish(api, run, session_id, "a")
    frames = list(api.alice.events(run.keys.run_id))
    for _ in range(2):
        again = api.alice.events(run.keys.run_id, f"?last_event_id={frames[-1].id}")
        assert list(again) == []
        assert again.is_closed_as_ended
        asked_by_itself = api.alice.events(run.keys.run_id, Last_Event_ID=frames[-1].id)
        assert asked_by_itself.response.status_code == 204
        api.stand.commands.delete(run.keys.log, run.keys.meta)  # then from the database


def test_a_run_whose_log_has_expired_is_shown_condensed(api: Api, session_id: str) -> None:
    run = live(api, session_id)
    run.say("one ", "two ", "three")
    had = api.alice.events(run.keys.run_id).until("message.delta", 2)
    finish(api, run, session_id, "one two three")
    api.stand.commands.delete(run.keys.log, run.keys.meta, run.keys.checkpoint)
    stream = api.alice.events(run.keys.run_id)
    frames = list(stream)
    assert stream.is_closed_as_ended
    assert [frame.event["event"] for frame in frames] == ["message.delta", "run.completed"]
    assert all(frame.event["condensed"] is True for frame in frames)
    assert frames[0].event["delta"] == frames[1].event["output"] == "one two three"
    rest = list(api.alice.events(run.keys.run_id, Last_Event_ID=had[-1].id))
    assert text_of([*had, *rest]) == "one two three"
    gone = api.alice.get(f"/v1/runs/{run.keys.run_id}/events?since=2")
    assert (gone.status_code, gone.json()["error"]["code"]) == (410, "position_gone")


def test_a_text_that_was_replaced_comes_whole_as_a_snapshot(api: Api, session_id: str) -> None:
    run = live(api, session_id)
    run.say("streamed text")
    had = api.alice.events(run.keys.run_id).until("message.delta")
    finish(api, run, session_id, "another text")
    api.stand.commands.delete(run.keys.log, run.keys.meta)
    rest = list(api.alice.events(run.keys.run_id, Last_Event_ID=had[-1].id))
    assert rest[0].event["event"] == "message.snapshot"
    assert text_of([*had, *rest]) == "another text"


def test_a_folded_log_is_whole_for_readers_with_every_earlier_id(api: Api, session_id: str) -> None:
    run = live(api, session_id)
    run.say("one ")
    run.append("reasoning.delta", text="hm")
    run.append("tool.started", tool="search", tool_call_id="1")
    run.append("tool.started", tool="search", tool_call_id="2")
    run.append("tool.completed", tool="search", tool_call_id="2", output="found")
    run.say("two ", "three ")
    run.append("approval.request", command="rm")
    before = api.alice.events(run.keys.run_id).until("approval.request")
    fold(api, run, 8)
    run.say("four")
    finish(api, run, session_id, "one ", "two three four")
    whole = list(api.alice.events(run.keys.run_id))
    for had in ([], *(before[:count] for count in range(1, 9)), *(whole[:n] for n in range(9))):
        at = {"Last_Event_ID": had[-1].id} if had else {}
        rest = list(api.alice.events(run.keys.run_id, **at))
        both = [*had, *rest]
        names = [frame.event["event"] for frame in both]
        assert text_of(both) == "one two three four", at
        assert names.count("tool.started") == 2
        assert [f.event["tool_call_id"] for f in both if f.event["event"] == "tool.completed"] == [
            "2"
        ]
        assert [f.event["text"] for f in both if f.event["event"] == "reasoning.delta"] == ["hm"]
        assert names.count("approval.request") == 1
        assert names[-1] == "run.completed"
    gone = api.alice.get(f"/v1/runs/{run.keys.run_id}/events?starting_after=3")
    assert gone.status_code == 410


def test_a_log_that_is_folded_while_it_is_read_changes_nothing(api: Api, session_id: str) -> None:
    run = live(api, session_id)
    run.say("a", "b")
    reader = BackgroundReader(api.alice, run.keys.run_id)
    wait_until(lambda: text_of(reader.frames) == "ab", what="what was")
    fold(api, run, 2)
    run.say("c")
    late = BackgroundReader(api.alice, run.keys.run_id)
    finish(api, run, session_id, "abc")
    assert text_of(reader.wait()) == "abc"
    assert seqs(reader.frames) == [1, 2, 3, 4, 5]
    assert text_of(late.wait()) == "abc"


def test_a_lost_notification_is_read_from_the_log(api: Api, session_id: str) -> None:
    run = live(api, session_id)
    run.say("a")
    reader = BackgroundReader(api.alice, run.keys.run_id)
    wait_until(lambda: text_of(reader.frames) == "a", what="what was")
    without_notification(api.stand, run, "b", "c")
    run.say("d")
    finish(api, run, session_id, "abcd")
    assert text_of(reader.wait()) == "abcd"
    assert seqs(reader.frames) == [1, 2, 3, 4, 5, 6]


def test_a_new_epoch_goes_on_where_the_reader_is(api: Api, session_id: str) -> None:
    run = live(api, session_id)
    run.say("one ", "two ")
    reader = BackgroundReader(api.alice, run.keys.run_id)
    wait_until(lambda: text_of(reader.frames) == "one two ", what="what was")
    query = update(RunRow).where(RunRow.id == run.keys.run_id).values(epoch=2)
    api.stand.db.write(lambda tx: tx.execute(query))
    api.stand.commands.delete(run.keys.log, run.keys.meta)
    anew = LiveRun(api.stand.log, run.keys, fence=2, epoch=2, session_id=session_id)
    anew.say("one two three ")
    wait_until(lambda: text_of(reader.frames) == "one two three ", what="the rest", within=20)
    anew.say("four")
    finish(api, anew, session_id, "one two three four")
    assert text_of(reader.wait()) == "one two three four"


def test_an_end_whose_log_was_lost_is_read_from_the_database(api: Api, session_id: str) -> None:
    run = live(api, session_id)
    run.say("one ")
    reader = BackgroundReader(api.alice, run.keys.run_id)
    wait_until(lambda: text_of(reader.frames) == "one ", what="what was")
    run.head = 5
    finish(api, run, session_id, "one two")
    assert text_of(reader.wait()) == "one two"
    assert reader.frames[-1].event["event"] == "run.completed"


def test_an_end_that_nobody_announced_is_announced_for_a_reader(api: Api, session_id: str) -> None:
    run = live(api, session_id)
    run.say("a")
    finish(api, run, session_id, "a", announce=False)
    frames = list(api.alice.events(run.keys.run_id))
    assert (text_of(frames), frames[-1].event["event"]) == ("a", "run.completed")


def test_a_stopped_run_ends_as_cancelled(api: Api, session_id: str) -> None:
    run = live(api, session_id)
    entry = run._entry("run.completed", 1, status="aborted", finish_reason="aborted")
    api.stand.log.append([Batch(run.keys, run.fence, 0, (entry,))])
    (frame,) = api.alice.events(run.keys.run_id).until("run.cancelled")
    assert frame.event["event"] == "run.cancelled"


def test_two_hundred_readers_of_one_run_get_the_same(api: Api, session_id: str) -> None:
    run = live(api, session_id)
    run.say(*(f"w{n} " for n in range(50)))
    readers = [BackgroundReader(api.alice, run.keys.run_id) for _ in range(200)]
    for n in range(50, 100):
        run.say(f"w{n} ")
        time.sleep(0.01)
    wait_until(lambda: all(r.frames for r in readers), within=60, what="all have begun")
    finish(api, run, session_id, "the end")
    expected = [(frame.id, frame.event["event"]) for frame in readers[0].wait(60)]
    assert len(expected) == 102
    for reader in readers:
        assert [(f.id, f.event["event"]) for f in reader.wait(60)] == expected
    assert {reader.opened for reader in readers} == {1}


def test_more_streams_than_a_user_may_have_are_429(api: Api, session_id: str) -> None:
    run = live(api, session_id)
    streams = [api.alice.events(run.keys.run_id) for _ in range(255)]
    statuses = [stream.response.status_code for stream in streams]
    for stream in streams:
        stream.close()
    assert set(statuses) == {200, 429}
    assert 200 <= statuses.count(200) <= 250
    wait_until(
        lambda: _has_room(api, run), what="those that left are noticed when they are sent to"
    )


def _has_room(api: Api, run: LiveRun) -> bool:
    run.say("a")
    stream = api.alice.events(run.keys.run_id)
    stream.close()
    return stream.response.status_code == 200


def raw_reader(api: Api, run_id: str) -> socket.socket:
    """A reader that does not read."""
    at = urlsplit(api.url)
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect((at.hostname, at.port))
    head = f"GET /v1/runs/{run_id}/events HTTP/1.1\r\nHost: x\r\n"
    client.sendall(f"{head}Authorization: Bearer token-of-alice\r\n\r\n".encode())
    return client


def test_a_reader_that_does_not_read_is_cut_and_slows_nobody(api: Api, session_id: str) -> None:
    run = live(api, session_id)
    slow = raw_reader(api, run.keys.run_id)
    quick = BackgroundReader(api.alice, run.keys.run_id)
    text = "x" * 50_000
    sent = 0
    while "reader.too_slow" not in api.process.log() and sent < 1500:
        run.say(text)
        sent += 1
    wait_until(lambda: "reader.too_slow" in api.process.log(), what="it is cut")
    slow.close()
    finish(api, run, session_id, "the end")
    frames = quick.wait(60)
    assert sum(len(frame.event.get("delta", "")) for frame in frames) == sent * 50_000


def test_a_reader_that_leaves_stops_nothing(api: Api, session_id: str) -> None:
    run = live(api, session_id)
    run.say("a")
    for _ in range(5):
        stream = api.alice.events(run.keys.run_id)
        stream.until("message.delta")
        stream.close()
    assert api.alice.get(f"/v1/runs/{run.keys.run_id}").json()["status"] == "running"
    reader = BackgroundReader(api.alice, run.keys.run_id)
    run.say("b")
    finish(api, run, session_id, "ab")
    assert text_of(reader.wait()) == "ab"
    assert "Traceback" not in api.process.log()


def test_head_opens_no_stream(api: Api, session_id: str) -> None:
    run = live(api, session_id)
    answer = api.alice.call("HEAD", f"/v1/runs/{run.keys.run_id}/events")
    assert (answer.status_code, answer.content) == (200, b"")


# -- processes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_web_process_that_ends_in_mid_answer_costs_a_reader_nothing(
    api: Api, session_id: str, how: signal.Signals
) -> None:
    environ = {"TOKENS_FILE": str(api.home / "users.toml"), "WEB_DRAIN_SECONDS": "2"}

    def start(port: str) -> tuple[str, RunningProcess]:
        database_url = f"sqlite:///{api.home / 'test.db'}"
        name = f"web-{uuid.uuid4().hex}"
        return start_web(
            api.processes, api.redis.url, database_url, api.home, name=name, PORT=port, **environ
        )

    url, process = start("0")
    port = str(urlsplit(url).port)
    run = live(api, session_id)
    readers = [BackgroundReader(ApiClient(url, "token-of-alice"), run.keys.run_id) for _ in "123"]
    said = [f"w{n} " for n in range(300)]
    stop = threading.Event()

    def talk() -> None:
        for word in said:
            run.say(word)
            stop.wait(0.01)

    talking = threading.Thread(target=talk)
    talking.start()
    wait_until(lambda: all(len(r.frames) > 50 for r in readers), what="some text")
    process.signal(how)
    process.wait()
    assert how is signal.SIGKILL or process.returncode == 0
    start(port)
    stop.set()
    talking.join()
    finish(api, run, session_id, "".join(said))
    for reader in readers:
        frames = reader.wait(60)
        assert text_of(frames) == "".join(said)
        assert seqs(frames) == list(range(1, 303))
        assert reader.opened > 1


def test_streams_end_at_a_drain_and_the_process_with_them(api: Api, session_id: str) -> None:
    environ = {"TOKENS_FILE": str(api.home / "users.toml"), "WEB_DRAIN_SECONDS": "5"}
    database_url = f"sqlite:///{api.home / 'test.db'}"
    name = f"web-{uuid.uuid4().hex}"
    url, process = start_web(
        api.processes, api.redis.url, database_url, api.home, name=name, **environ
    )
    run = live(api, session_id)
    run.say("a")
    client = ApiClient(url, "token-of-alice")
    streams = [client.events(run.keys.run_id) for _ in range(20)]
    for stream in streams:
        stream.until("message.delta")
    process.signal(signal.SIGTERM)
    for stream in streams:
        assert list(stream) == []  # an orderly end of the body, without that of the run
        assert not stream.is_closed_as_ended
    process.wait()
    assert process.returncode == 0
    assert "web.readers_closed count=20 left=0" in process.log()


def test_who_comes_back_by_itself_after_the_end_is_answered_204(api: Api, session_id: str) -> None:
    run = live(api, session_id)
    run.say(*"ab")
    finish(api, run, session_id, "ab")
    path = f"/v1/runs/{run.keys.run_id}/events"
    frames = list(api.alice.events(run.keys.run_id))
    again = api.alice.get(path, Last_Event_ID=frames[-1].id)
    assert (again.status_code, again.content) == (204, b"")
    assert api.alice.get(path, Last_Event_ID=frames[-2].id).status_code == 200
    assert api.alice.get(f"{path}?since={frames[-1].event['seq']}").status_code == 200
