"""`/v1/responses` on a real web process whose worker is played: numbers, logs, owners, refusals."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
from sqlalchemy import func, select, update

from shared.db.models import ResponseRow, RunRow
from shared.event_log.store import Batch
from tests.integration.web.api.http.conftest import Api
from tests.integration.web.api.http.test_run_events import finish, fold
from tests.support.http_api import ApiClient
from tests.support.rows import run_row
from tests.support.servers.processes import wait_until
from tests.support.web_stand import LiveRun

Event = dict[str, Any]


@dataclass
class Reader:
    """Reads the stream of a response in a thread."""

    client: ApiClient
    path: str
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.response = opened(self.client, self.path)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        for event in events_of(self.response.iter_lines(chunk_size=None)):
            self.events.append(event)

    def wait(self) -> list[Event]:
        """All events, once the stream is over."""
        self._thread.join(20)
        assert not self._thread.is_alive(), self.events[-2:]
        return self.events


@pytest.fixture
def talk_of(api: Api) -> Callable[[str, str], None]:
    """A turn of Alice that has ended, in a session."""

    def one(session_id: str, text: str) -> None:
        run = api.begin(api.alice.start(text, session_id), session_id)
        finish(api, run, session_id, "answer")

    return one


def opened(client: ApiClient, path: str) -> requests.Response:
    return requests.get(
        f"{client.url}{path}",
        headers={"Authorization": f"Bearer {client.token}"},
        stream=True,
        timeout=30,
    )


def until(events: Iterator[Event], text: str) -> list[Event]:
    """The events up to those that bring this text."""
    found: list[Event] = []
    while text_of(found) != text:
        found.append(next(events))
        assert text.startswith(text_of(found)), (text, found)
    return found


def events_of(lines: Iterator[bytes]) -> Iterator[Event]:
    for line in lines:
        if line.startswith(b"data: "):
            yield json.loads(line[6:])


def text_of(events: list[Event]) -> str:
    return "".join(e["delta"] for e in events if e["type"] == "response.output_text.delta")


def numbers(events: list[Event]) -> list[int]:
    return [event["sequence_number"] for event in events]


def begun(api: Api, **fields: Any) -> tuple[str, LiveRun, str]:
    """A response in the background that a worker has begun: id, run, session."""
    answer = api.alice.post("/v1/responses", {"input": "hi", "background": True, **fields})
    assert answer.status_code == 200, answer.text
    made = answer.json()["id"]
    session_id = answer.headers["X-Hermes-Session-Id"]
    return made, api.begin(made.replace("resp_", "run_"), session_id), session_id


def path_of(made: str, after: int | None = None) -> str:
    more = f"&starting_after={after}" if after is not None else ""
    return f"/v1/responses/{made}?stream=true{more}"


def test_a_reader_gets_what_was_what_follows_and_the_end(api: Api) -> None:
    made, run, session_id = begun(api)
    run.say("a", "b")
    reader = Reader(api.alice, path_of(made))
    wait_until(lambda: text_of(reader.events) == "ab", what="what was")
    run.say("c")
    wait_until(lambda: text_of(reader.events) == "abc", what="what follows")
    finish(api, run, session_id, "abc")
    events = reader.wait()
    assert [e["type"] for e in events if "delta" not in e["type"]] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert numbers(events) == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    assert events[-1]["response"] == api.alice.get(f"/v1/responses/{made}").json()


def test_a_log_that_was_folded_while_the_reader_was_away_is_gone_on_with(api: Api) -> None:
    made, run, session_id = begun(api)
    run.say("ab", "cd")
    run.append("tool.started", tool="x")
    run.append("tool.started", tool="y")
    first = Reader(api.alice, path_of(made))
    wait_until(lambda: len(first.events) >= 12, what="text and calls")
    run.append("tool.completed", tool="y")
    run.append("tool.completed", tool="x")
    run.say("ef", "gh")
    fold(api, run, run.head)
    run.say("ij")
    wait_until(lambda: text_of(first.events) == "abcdefghij", what="the text")
    seen = numbers(first.events)
    for at in seen:
        had = text_of([e for e in first.events if e["sequence_number"] <= at])
        with opened(api.alice, path_of(made, at)) as response:
            lines = events_of(response.iter_lines(chunk_size=None))
            rest = until(lines, "abcdefghij"[len(had) :])
        assert set(numbers(rest)) <= {n for n in seen if n > at}
    finish(api, run, session_id, "abcdefghij")
    assert text_of(first.wait()) == "abcdefghij"


def test_a_run_of_another_epoch_goes_on_behind_the_text_that_is_there(api: Api) -> None:
    made, run, session_id = begun(api)
    run.say("abc")
    reader = Reader(api.alice, path_of(made))
    wait_until(lambda: text_of(reader.events) == "abc", what="the first text")
    api.stand.commands.delete(run.keys.log, run.keys.meta)
    new = LiveRun(api.stand.log, run.keys, fence=2, epoch=2, session_id=session_id)
    new.say("abcde")
    wait_until(lambda: text_of(reader.events) == "abcde", what="what is more")
    new.say("f")
    query = update(RunRow).where(RunRow.id == run.keys.run_id).values(fence=2, epoch=2)
    api.stand.db.write(lambda tx: tx.execute(query))
    finish(api, new, session_id, "abcdef")
    events = reader.wait()
    assert text_of(events) == "abcdef"
    assert numbers(events) == sorted(set(numbers(events)))


def test_a_response_whose_parts_were_not_stored_is_read_from_its_messages(api: Api) -> None:
    """As of a worker of the version before."""
    made, run, session_id = begun(api)
    run.say("ab", "cd")
    finish(api, run, session_id, "abcd")
    live = Reader(api.alice, path_of(made)).wait()
    api.stand.commands.delete(run.keys.log, run.keys.meta)
    later = Reader(api.alice, path_of(made)).wait()
    assert text_of(live) == text_of(later) == "abcd"
    assert set(numbers(later)) <= set(numbers(live))
    assert later[-1] == live[-1]


def test_parts_that_were_stored_are_shown_whatever_became_of_the_messages(api: Api) -> None:
    made, run, session_id = begun(api)
    run.say("abc ", "d")
    finish(api, run, session_id, "abc d, and more that came late")
    live = Reader(api.alice, path_of(made)).wait()
    parts = [["text", "abc d"]]
    query = update(ResponseRow).where(ResponseRow.run_id == run.keys.run_id).values(streamed=parts)
    api.stand.db.write(lambda tx: tx.execute(query))
    api.stand.commands.delete(run.keys.log, run.keys.meta)
    later = Reader(api.alice, path_of(made, numbers(live)[4])).wait()
    assert text_of(live[:5]) + text_of(later) == "abc d"
    assert later[-1]["response"]["output"][0]["content"][0]["text"].endswith("late")


def test_a_response_that_waits_and_is_cancelled_ends_its_stream(api: Api) -> None:
    first = begun(api)[0]
    body = {"input": "x", "previous_response_id": first, "background": True}
    made = api.alice.post("/v1/responses", body).json()
    assert made["status"] == "queued"
    reader = Reader(api.alice, path_of(made["id"]))
    cancelled = api.alice.post(f"/v1/responses/{made['id']}/cancel").json()
    assert (cancelled["status"], cancelled["output"]) == ("cancelled", [])
    assert reader.wait()[-1]["response"]["status"] == "cancelled"
    again = Reader(api.alice, path_of(made["id"], reader.events[0]["sequence_number"])).wait()
    assert numbers(again) == numbers(reader.events)[1:]


def test_a_response_that_is_continued_already_and_not_complete_is_a_conflict(api: Api) -> None:
    first = begun(api)[0]
    body = {"input": "x", "previous_response_id": first, "background": True}
    assert api.alice.post("/v1/responses", body).status_code == 200
    answer = api.alice.post("/v1/responses", body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "response_in_progress")


def test_a_deleted_response_that_is_live_is_stopped(api: Api) -> None:
    made, run, _ = begun(api)
    assert api.alice.call("DELETE", f"/v1/responses/{made}").json()["deleted"] is True
    run_state = api.alice.get(f"/v1/runs/{run.keys.run_id}").json()["status"]
    assert run_state == "stopping"


def test_what_belongs_to_another_user_looks_like_what_is_not_there(api: Api) -> None:
    made, run, session_id = begun(api)
    run.say("secret")
    finish(api, run, session_id, "secret")
    nothing = f"resp_{uuid.uuid4().hex}"
    asked: list[tuple[str, str, Any]] = [
        ("GET", "/v1/responses/{}", None),
        ("GET", "/v1/responses/{}?stream=true", None),
        ("GET", "/v1/responses/{}?stream=true&starting_after=1", None),
        ("GET", "/v1/responses/{}/input_items", None),
        ("POST", "/v1/responses/{}/cancel", None),
        ("DELETE", "/v1/responses/{}", None),
        ("POST", "/v1/responses", {"input": "x", "previous_response_id": "{}"}),
        ("POST", "/v1/responses", {"input": "x", "previous_response_id": "{}", "store": False}),
    ]
    for method, path, body in asked:
        texts = []
        for named in (made, nothing):
            sent = json.dumps(body).replace("{}", named).encode() if body else None
            answer = api.bob.call(method, path.format(named), sent)
            assert answer.status_code == 404, (method, path)
            texts.append(answer.text.replace(named, "…"))
        assert texts[0] == texts[1]
    assert api.alice.get(f"/v1/responses/{made}").status_code == 200


def test_a_response_that_is_not_stored_goes_on_from_its_own_history_alone(
    api: Api, talk_of: Callable[[str, str], None]
) -> None:
    conversation, mark = f"session-{uuid.uuid4().hex}", uuid.uuid4().hex
    talk_of(conversation, "said before")
    history = [{"role": "user", "content": "brought"}, {"role": "assistant", "content": "yes"}]
    body = {
        "input": mark,
        "conversation": conversation,
        "conversation_history": history,
        "store": False,
    }
    with pytest.raises(requests.ReadTimeout):  # no worker is there to answer it
        requests.post(
            f"{api.url}/v1/responses",
            json=body,
            headers={"Authorization": f"Bearer {api.alice.token}"},
            timeout=2,
        )
    rows = api.stand.db.read(lambda tx: tx.scalars(select(RunRow)).all())
    (row,) = [row for row in rows if mark in json.dumps(row.input)]
    assert (row.session_id, row.history) == (None, None)
    assert row.input == [*history, {"role": "user", "content": mark}]


def test_a_history_of_its_own_takes_the_place_of_the_conversation_s_for_this_response(
    api: Api,
) -> None:
    conversation = f"session-{uuid.uuid4().hex}"
    history = [{"role": "user", "content": "before"}]
    body = {
        "input": [{"role": "assistant", "content": "and"}, {"role": "user", "content": "x"}],
        "conversation": conversation,
        "conversation_history": history,
        "background": True,
    }
    made = api.alice.post("/v1/responses", body).json()["id"]
    row = run_row(api.stand.db, made.replace("resp_", "run_"))
    assert (row.session_id, row.history) == (
        conversation,
        [*history, {"role": "assistant", "content": "and"}],
    )


def test_a_key_of_another_user_is_another_response(api: Api) -> None:
    body, key = {"input": "x", "background": True}, uuid.uuid4().hex
    first = api.alice.post("/v1/responses", body, Idempotency_Key=key)
    again = api.alice.post("/v1/responses", body, Idempotency_Key=key)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json() == first.json()
    other = api.bob.post("/v1/responses", body, Idempotency_Key=key)
    assert other.json()["id"] != first.json()["id"]
    as_run = api.alice.post("/v1/runs", {"input": "x"}, Idempotency_Key=key)
    assert as_run.status_code == 409


def test_a_key_whose_response_was_deleted_makes_no_other_one(api: Api) -> None:
    body, key = {"input": "x", "background": True}, uuid.uuid4().hex
    made = api.alice.post("/v1/responses", body, Idempotency_Key=key).json()["id"]
    api.alice.call("DELETE", f"/v1/responses/{made}")
    assert api.alice.post("/v1/responses", body, Idempotency_Key=key).status_code == 404


FAULTY: list[tuple[Any, str | None]] = [
    ({}, "input"),
    ({"input": ""}, "input"),
    ({"input": []}, "input"),
    ({"input": 5}, "input"),
    ({"input": [{"role": "user", "content": [{"type": "input_file"}]}]}, "input[0].content"),
    ({"input": ["x"] * 1002}, "input"),
    ({"input": "x", "metadata": {"a": 5}}, "metadata"),
    ({"input": "x", "metadata": {str(n): "" for n in range(17)}}, "metadata"),
    ({"input": "x", "conversation": "a\x00b"}, "conversation"),
    ({"input": "x", "conversation": {"name": "a"}}, "conversation"),
    ({"input": "x", "conversation": "a", "previous_response_id": "resp_1"}, "conversation"),
    ({"input": "x", "conversation": "a", "conversation_history": [{}]}, "conversation_history"),
    ({"input": "x", "conversation_history": [{"role": "user"}]}, "conversation_history"),
    ({"input": "x", "background": True, "store": False}, "background"),
    ({"input": "x", "instructions": "y" * 200_001}, "instructions"),
    ({"input": "x", "model": 5}, "model"),
]


@pytest.mark.parametrize(("body", "param"), FAULTY)
def test_a_faulty_response_is_refused_and_nothing_is_stored(
    api: Api, body: Any, param: str | None
) -> None:
    count = select(func.count()).select_from(RunRow)
    before = api.stand.db.read(lambda tx: tx.scalar(count))
    answer = api.alice.post("/v1/responses", body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param), answer.text
    assert api.stand.db.read(lambda tx: tx.scalar(count)) == before


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"messages": []},
        {"messages": "x"},
        {"messages": [5]},
        {"messages": [{"role": "user", "content": ""}]},
        {"messages": [{"role": "system", "content": "x"}]},
        {"messages": [{"role": "user", "content": "x"}], "stream_options": 5},
    ],
)
def test_a_faulty_completion_is_refused(api: Api, body: Any) -> None:
    answer = api.alice.post("/v1/chat/completions", body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_payload")


@pytest.mark.parametrize(
    "query", ["starting_after=-1", "starting_after=x", f"starting_after={10**30}"]
)
def test_a_number_that_makes_no_sense_is_refused(api: Api, query: str) -> None:
    made = begun(api)[0]
    answer = api.alice.get(f"/v1/responses/{made}?stream=true&{query}")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "starting_after")


@pytest.mark.parametrize(
    "named", ["run_1", "resp_%00", "resp_" + "x" * 300, "%F0%9F%98%80", "resp_"]
)
def test_an_id_that_is_none_is_not_found(api: Api, named: str) -> None:
    assert api.alice.get(f"/v1/responses/{named}").status_code == 404


def test_lone_surrogates_are_replaced(api: Api) -> None:
    sent = b'{"input": "a", "metadata": {"k": "\\ud800"}, "background": true}'
    answer = api.alice.post("/v1/responses", sent)
    assert answer.status_code in {200, 400}
    sent = b'{"input": "a\\u0000b", "instructions": "\\u0000", "background": true}'
    answer = api.alice.post("/v1/responses", sent)
    assert answer.status_code == 200
    items = api.alice.get(f"/v1/responses/{answer.json()['id']}/input_items").json()
    assert items["data"][0]["content"][0]["text"] == "a\ufffdb"


def test_the_stream_of_a_deleted_session_is_over(api: Api) -> None:
    made, run, session_id = begun(api)
    run.say("a")
    reader = Reader(api.alice, path_of(made))
    wait_until(lambda: text_of(reader.events) == "a", what="the text")
    channel = api.stand.channel(run.keys)
    api.stand.commands.publish(channel, b'S ["session.deleted",{"session_id":"s"}]')
    assert reader.wait()[-1]["type"] == "response.output_text.delta"
    assert session_id


def test_a_stream_that_was_sent_twice_is_told_once(api: Api) -> None:
    """An append whose answer was lost is sent again."""
    made, run, session_id = begun(api)
    reader = Reader(api.alice, path_of(made))
    entry = run._entry("message.delta", 1, delta="abc")
    for _ in range(2):
        api.stand.log.append([Batch(run.keys, run.fence, 0, (entry,))])
    run.head = 1
    finish(api, run, session_id, "abc")
    assert text_of(reader.wait()) == "abc"
