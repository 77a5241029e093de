"""The HTTP API over real processes: a run from start to end, also through lost processes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import uuid
from functools import partial

from tests.acceptance.answers import numbered, talk
from tests.acceptance.conftest import JsClients
from tests.support.clients.socket_client import SocketClient
from tests.support.http_api import ApiClient, BackgroundReader, text_of
from tests.support.paths import ROOT
from tests.support.servers.processes import wait_until
from tests.support.servers.stack import TOKEN, Stack


def client_of(stack: Stack) -> ApiClient:
    return ApiClient(stack.url, TOKEN)


def test_a_run_is_started_read_and_stored(stack: Stack, session_id: str) -> None:
    api = client_of(stack)
    run_id = api.start(talk(50), session_id)
    frames = list(api.events(run_id))
    assert text_of(frames) == numbered(50)
    assert frames[-1].event["event"] == "run.completed"
    assert frames[-1].event["output"] == numbered(50)
    run = api.get(f"/v1/runs/{run_id}").json()
    assert (run["status"], run["output"], run["attempts"]) == ("completed", numbered(50), 1)
    assert stack.stored_answer(run_id) == numbered(50)


def test_sockets_and_readers_see_the_same_run(
    stack: Stack, client: SocketClient, session_id: str
) -> None:
    client.resume(session_id)
    reader = BackgroundReader(client_of(stack), client_of(stack).start(talk(200), session_id))
    client.end(reader.run_id)
    frames = reader.wait()
    assert text_of(frames) == client.deltas(reader.run_id) == numbered(200)


def test_a_stop_ends_the_stream_as_cancelled(stack: Stack, session_id: str) -> None:
    api = client_of(stack)
    reader = BackgroundReader(api, api.start(talk(3000, rate=100), session_id))
    wait_until(lambda: text_of(reader.frames), what="some text")
    assert api.post(f"/v1/runs/{reader.run_id}/stop").json()["status"] == "stopping"
    frames = reader.wait()
    assert frames[-1].event["event"] == "run.cancelled"
    assert api.get(f"/v1/runs/{reader.run_id}").json()["status"] == "cancelled"


def test_a_key_makes_one_post_to_the_gateway(stack: Stack, session_id: str) -> None:
    api, key = client_of(stack), uuid.uuid4().hex
    body = {"input": talk(3), "session_id": session_id}
    ids = {api.post("/v1/runs", body, Idempotency_Key=key).json()["run_id"] for _ in range(3)}
    (run_id,) = ids
    list(api.events(run_id))
    assert len(stack.posts(run_id)) == 1


def test_readers_survive_web_processes_that_are_killed(stack: Stack, session_id: str) -> None:
    api = client_of(stack)
    run_id = api.start(talk(400, rate=50), session_id)
    readers = [BackgroundReader(api, run_id) for _ in range(4)]
    for _ in range(2):
        more = partial(has_more_than, readers[0], len(readers[0].frames) + 20)
        wait_until(more, within=30, what="more text")
        stack.restart_web(0, signal.SIGKILL)
    for reader in readers:
        frames = reader.wait(60)
        assert text_of(frames) == numbered(400)
        assert [f.event["event"] for f in frames].count("run.completed") == 1
        seqs = [frame.event["seq"] for frame in frames]
        assert seqs == sorted(set(seqs))


def test_an_event_source_reads_on_by_itself_and_stops_at_the_end(
    stack: Stack, js_client: JsClients, session_id: str
) -> None:
    run_id = client_of(stack).start(talk(400, rate=50), session_id)
    page = js_client(stack, "event_source.js")
    page.send("read", path=f"/v1/runs/{run_id}/events")
    page.wait_until(lambda: len(page.all("event")) > 40, what="some text")
    stack.restart_web(0, signal.SIGKILL)
    page.wait_for("error", lambda error: error["closed"], within=60)
    events = page.all("event")
    assert "".join(event.get("delta", "") for event in events) == numbered(400)
    assert [event["event"] for event in events].count("run.completed") == 1
    assert len({event["id"] for event in events}) == len(events)
    assert len(page.all("open")) == 2


def has_more_than(reader: BackgroundReader, count: int) -> bool:
    return len(reader.frames) > count


OPENAI = "## OpenAI's API"  # its examples are run by tests/acceptance/openai
EXAMPLE = re.compile(r"^    (curl (?:[^\n]*\\\n)*[^\n]*)\n    ([^\n]*)", re.MULTILINE)


def test_the_examples_of_the_page_work_as_they_are_written(stack: Stack, session_id: str) -> None:
    api = client_of(stack)
    run_id = api.start(talk(3000, rate=20), session_id)
    list(zip(range(2), api.events(run_id), strict=False))
    other = api.start(talk(3000, rate=20), f"{session_id}-other")  # an operator stops this one
    before, _, after = (ROOT / "docs" / "api.md").read_text("utf-8").partition(f"\n{OPENAI}\n")
    page = before + after.partition("\n## ")[2]
    examples = [found.groups() for found in EXAMPLE.finditer(page)]
    assert len(examples) == page.count("\n    curl ") >= 22
    # Those that need a live run come before the one that stops it.
    for command, shown in sorted(examples, key=lambda pair: "/stop" in pair[0]):
        of_operator = "/api/runs/run_…/stop" in command
        answer = curl(stack, command.replace("run_…", other if of_operator else run_id))
        if "/s1/events" in command:
            assert answer.startswith(': stream opened\n\ndata: {"event":"session.updated"')
        elif "/events" in command:
            assert answer.startswith(": stream opened\n\nid: 1-1-")
        elif "/retry" in command and "/runs/" in command:
            assert json.loads(answer)["error"]["code"] == "run_not_failed"
        elif "/approval" in command:
            assert json.loads(answer)["error"]["code"] == "approval_not_pending"
        else:
            assert "error" not in json.loads(answer), command
            assert names(shown) <= names(answer) | {"run_id"}, command


def names(text: str) -> set[str]:
    """The names of all fields in a JSON text, of which parts may be left out."""
    return set(re.findall(r'"(\w+)":', text))


def curl(stack: Stack, command: str) -> str:
    """What the example prints."""
    environment = {"HOLDFAST": stack.url, "AUTH": f"Authorization: Bearer {TOKEN}"}
    run = subprocess.run(
        ["bash", "-c", command.replace("curl -sN", "curl -sN --max-time 2")],
        env={**os.environ, **environment},
        capture_output=True,
        check=False,
        text=True,
        timeout=30,
    )
    return run.stdout
