"""Two web processes behind nginx and behind Caddy, with the configuration that is shipped."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import requests

from tests.acceptance.answers import assert_whole, numbered, talk
from tests.acceptance.conftest import JsClients
from tests.support.clients.js_client import JsClient
from tests.support.http_api import ApiClient, BackgroundReader, text_of
from tests.support.servers.processes import wait_until
from tests.support.servers.proxies import Proxy, SeparateWebs, find_program
from tests.support.servers.stack import TOKEN

log = logging.getLogger(__name__)

TOKENS = 5_000  # at 25 a second, more than a restart can take: the runs are stopped in the end
# Caddy passes on the 503 of a process that stops, or says 502, to who comes just then; nginx asks
# the next process. Clients try again by themselves, until the process has stopped.
NEVER_REFUSES = {"nginx"}


@dataclass(frozen=True)
class Behind:
    """The processes, and the proxy before them. `url` is the proxy's."""

    kind: str
    stack: SeparateWebs
    proxy: Proxy

    @property
    def url(self) -> str:
        return self.proxy.url

    @property
    def api(self) -> ApiClient:
        return ApiClient(self.url, TOKEN)


@pytest.fixture(scope="module")
def two_webs() -> Iterator[SeparateWebs]:
    """Two web processes on a port each."""
    made = SeparateWebs(web=2, WEB_DRAIN_SECONDS=2)
    try:
        made.start()
        yield made
        assert made.accidents() == [], "an error that nobody planned"
    finally:
        made.stop()


@pytest.fixture(params=["nginx", "caddy"])
def behind(request: pytest.FixtureRequest, two_webs: SeparateWebs) -> Iterator[Behind]:
    """They, behind a proxy of each kind."""
    program = find_program(request.param)
    if program is None:
        pytest.skip(f"no {request.param}")
    proxy = Proxy(request.param, program, two_webs.ports)
    yield Behind(request.param, two_webs, proxy)
    log.info("what the proxy wrote:\n%s", proxy.log())
    proxy.stop()


def start(page: JsClient, session_id: str, text: str) -> str:
    answer = page.acknowledged("run", {"session_id": session_id, "input": text})
    assert answer["ok"], answer
    return str(answer["run_id"])


def test_websockets_and_polling_sockets_reach_the_process_that_is_theirs(
    behind: Behind, js_client: JsClients, session_id: str
) -> None:
    for number, transports in enumerate((["websocket"], ["polling"], ["polling", "websocket"])):
        for one in range(3):
            page = js_client(behind, options={"transports": transports})
            assert_whole(page, start(page, f"{session_id}-{number}-{one}", talk(5)), 5)
            assert not page.all("connect_error")
            assert len(page.all("connect")) == 1


def test_an_event_stream_passes_piece_by_piece(behind: Behind, session_id: str) -> None:
    run_id = behind.api.start(talk(2000, rate=20), session_id)
    stream = behind.api.events(run_id)
    stream.until("message.delta", 3)  # within the time of a request; the run takes 100 seconds
    stream.close()
    assert behind.api.post(f"/v1/runs/{run_id}/stop").status_code == 200


def test_a_large_input_passes_and_one_that_is_too_large_is_refused_with_a_reason(
    behind: Behind, session_id: str
) -> None:
    run_id = behind.api.start(f"{talk(1)} {'x' * 7_000_000}", session_id)
    assert list(behind.api.events(run_id))[-1].event["event"] == "run.completed"
    answer = behind.api.post("/v1/runs", {"input": "x" * 8_100_000})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "body_too_large")


@pytest.mark.parametrize("path", ["/readyz", "/metrics"])
def test_what_is_for_operators_is_not_for_clients(behind: Behind, path: str) -> None:
    assert requests.get(f"{behind.url}{path}", timeout=10).status_code == 404


class Asker(threading.Thread):
    """Starts small runs and reads them, one request after the other, until it is stopped."""

    def __init__(self, api: ApiClient) -> None:
        super().__init__(daemon=True)
        self._api = api
        self._stopping = threading.Event()
        self.statuses: list[int] = []

    def run(self) -> None:
        while not self._stopping.wait(0.02):
            made = self._api.post("/v1/runs", {"input": talk(1)})
            self.statuses.append(made.status_code)
            if made.status_code == 202:
                read = self._api.get(f"/v1/runs/{made.json()['run_id']}")
                self.statuses.append(read.status_code)

    def stop(self) -> None:
        self._stopping.set()
        self.join(30)


def test_a_rolling_restart_shows_no_error_and_loses_and_doubles_nothing(
    behind: Behind, js_client: JsClients, session_id: str
) -> None:
    pages = [js_client(behind, options={"transports": [kind]}) for kind in ("websocket", "polling")]
    text = talk(TOKENS, rate=25)
    runs = [start(page, f"{session_id}-{n}", text) for n, page in enumerate(pages)]
    reader = BackgroundReader(behind.api, runs[0])
    asker = Asker(behind.api)
    asker.start()
    for number in range(2):
        shown = [len(page.received) for page in pages]
        wait_until(
            lambda shown=shown: all(  # type: ignore[misc]
                len(page.received) > n + 20 for page, n in zip(pages, shown, strict=True)
            ),
            within=30,  # a page asks again after up to 5 s
            what="more text",
        )
        leaving = behind.stack.web[number]
        behind.stack.restart_web(number, signal.SIGTERM)
        assert leaving.returncode == 0
    asker.stop()
    said = []
    for page, run_id in zip(pages, runs, strict=True):
        assert behind.api.post(f"/v1/runs/{run_id}/stop").status_code == 200
        page.end(run_id)
        said.append(behind.stack.stored_answer(run_id).split())
        assert said[-1] == numbered(len(said[-1])).split()
        assert page.deltas(run_id).split() == said[-1]
        assert page.seqs(run_id) == list(range(1, len(page.seqs(run_id)) + 1))
        assert behind.kind not in NEVER_REFUSES or not page.all("connect_error")
        assert len(behind.stack.posts(run_id)) == 1
    frames = reader.wait()
    assert text_of(frames).split() == said[0]
    seqs = [frame.event["seq"] for frame in frames]
    assert seqs == sorted(set(seqs))
    if behind.kind in NEVER_REFUSES:
        assert set(asker.statuses) == {200, 202}
    assert len(asker.statuses) > 20
