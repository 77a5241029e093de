"""How long a person waits when something dies, with the settings as they are.

The bounds are promises to people, in seconds; `pytest -s` prints what was measured. A pause lasts
from the fault (for Redis: from the moment when it answers again) to `run.reattached`, or to the
next text of the run.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.acceptance.answers import assert_whole, numbered, talk
from tests.acceptance.conftest import Clients, JsClients
from tests.support.recording import Recording
from tests.support.servers.processes import wait_until
from tests.support.servers.stack import Stack

WORKER_KILLED = 20.0  # seconds to `run.reattached`
BEYOND_RECONNECT = 1.0  # seconds after the client's own delay
REDIS_BACK = 5.0  # seconds after Redis answers
JS_DELAY = 1.0  # socket.io-client's own first delay; its second is twice as long, and so on
JS_OPTIONS = {
    "transports": ["websocket"],
    "reconnectionDelay": JS_DELAY * 1000,
    "reconnectionDelayMax": 5000,
    "randomizationFactor": 0,
}
RATE = 50.0  # tokens per second

Report = Callable[[str, float, float], None]


@pytest.fixture(scope="module")
def usual() -> Iterator[Stack]:
    """Two web processes on one port, two workers, all settings as they are."""
    made = Stack(web=2, workers=2)
    try:
        yield made.start()
    finally:
        made.stop()


@pytest.fixture
def report() -> Report:
    """Says what was measured, and fails if it is past the bound."""

    def report(what: str, pause: float, bound: float) -> None:
        print(f"\npause: {what}: {pause:.2f} s (bound {bound:.2f} s)")  # noqa: T201
        assert pause <= bound

    return report


def some_text(recording: Recording, run_id: str, tokens: int = 30) -> None:
    """Wait until so many tokens have been received."""
    recording.wait_until(lambda: len(recording.deltas(run_id).split()) >= tokens, what="some text")


def next_event(recording: Recording, run_id: str, after: float) -> float:
    """When the run's first text after a moment came; waits for it."""

    def later() -> list[float]:
        texts = [h for h in list(recording.received) if h.name == "message.delta" and h.at > after]
        return [h.at for h in texts if h.payload["run_id"] == run_id]

    recording.wait_until(later, within=40, what="text")
    return later()[0]


def test_a_killed_worker_costs_twenty_seconds_at_most(
    usual: Stack, connect: Clients, session_id: str, report: Report
) -> None:
    client = connect(usual)
    run_id = client.run(talk(1500, rate=RATE), session_id)
    some_text(client, run_id)
    owner = usual.owner_of(run_id)
    owner.kill()
    killed_at = time.monotonic()
    usual.workers.remove(owner)
    client.wait_for("run.reattached", within=40)
    at = next(h.at for h in client.received if h.name == "run.reattached")
    report("worker killed, to run.reattached", at - killed_at, WORKER_KILLED)
    assert client.end(run_id, within=60)["status"] == "completed"
    assert client.text(run_id).strip() == numbered(1500).strip()
    usual.add_worker()


@contextmanager
def web_killed(stack: Stack) -> Iterator[float]:
    """SIGKILL to the web process with the socket; when that was. It is started again afterwards."""

    def with_socket() -> list[int]:
        found = [number for number, web in enumerate(stack.web) if stack.sockets(web)]
        return found if len(found) == 1 else []  # those of the test before may be closing

    (number,) = wait_until(with_socket, what="one web process with sockets")
    stack.web[number].signal(signal.SIGKILL)
    try:
        yield time.monotonic()
    finally:
        stack.restart_web(number)


def test_a_killed_web_process_costs_an_old_page_its_reconnect_delay_and_a_second(
    usual: Stack, js_client: JsClients, session_id: str, report: Report
) -> None:
    page = js_client(usual, options=JS_OPTIONS)
    page.send("emit", name="run", payload={"session_id": session_id, "input": talk(400, rate=RATE)})
    run_id = str(page.wait_for("run.started")["run_id"])
    some_text(page, run_id)
    with web_killed(usual) as killed_at:
        pause = next_event(page, run_id, killed_at + 0.2) - killed_at
    report("web killed, npm client, another process", pause, JS_DELAY + BEYOND_RECONNECT)
    assert page.wait_for("connect", lambda p: p["recovered"])
    assert_whole(page, run_id, 400)


def test_a_killed_web_process_costs_a_python_client_its_reconnect_delay_and_a_second(
    usual: Stack, connect: Clients, session_id: str, report: Report
) -> None:
    client = connect(usual, reconnection=True)
    run_id = client.run(talk(400, rate=RATE), session_id)
    some_text(client, run_id)
    mark = client.mark()
    with web_killed(usual) as killed_at:
        client.wait_for("connect", since=mark)
        last = [p for p in client.all(run_id=run_id) if "seq" in p][-1]
        cursor = {"run_id": run_id, "epoch": last["epoch"], "after_seq": last["seq"]}
        client.resume(session_id, **cursor)
        pause = next_event(client, run_id, killed_at + 0.2) - killed_at
    # python-socketio draws its delay from 0.5 to 1.5 times of the one given (0.1 s here).
    report("web killed, Python client, another process", pause, 0.15 + BEYOND_RECONNECT)
    assert_whole(client, run_id, 400)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_a_redis_that_comes_back_costs_five_seconds_at_most(
    usual: Stack, connect: Clients, session_id: str, report: Report, how: signal.Signals
) -> None:
    client = connect(usual)
    run_id = client.run(talk(1000, rate=RATE), session_id)
    some_text(client, run_id)
    before = len(client.seqs(run_id))
    if how is signal.SIGTERM:
        usual.redis.terminate()
    else:
        usual.redis.kill()
    gone_at = time.monotonic()
    wait_until(lambda: time.monotonic() > gone_at + 3, what="it is away for a while")
    assert len(client.seqs(run_id)) <= before + RATE
    usual.redis.restart()
    back_at = time.monotonic()
    pause = next_event(client, run_id, back_at) - back_at
    report(f"Redis {how.name}, to the next event after it is back", pause, REDIS_BACK)
    assert_whole(client, run_id, 1000)
    following = client.run(talk(5), session_id)
    asked_at = time.monotonic()
    assert_whole(client, following, 5)
    report(f"Redis {how.name}, a new run afterwards", time.monotonic() - asked_at, REDIS_BACK)


def test_a_lone_web_process_that_is_started_again_costs_the_clients_delays_and_a_second(
    stack: Stack, js_client: JsClients, session_id: str, report: Report
) -> None:
    page = js_client(stack, options=JS_OPTIONS)
    page.send("emit", name="run", payload={"session_id": session_id, "input": talk(500, rate=RATE)})
    run_id = str(page.wait_for("run.started")["run_id"])
    some_text(page, run_id)
    killed_at = time.monotonic()
    stack.restart_web(0, signal.SIGKILL)
    listening = time.monotonic() - killed_at
    pause = next_event(page, run_id, killed_at + 0.2) - killed_at
    delays = JS_DELAY  # the client doubles its delay as long as nobody listens
    while delays < listening:
        delays = 2 * delays + JS_DELAY
    what = f"web killed, npm client, the same process listens after {listening:.2f} s"
    # Catching up takes longer on a machine that is as slow to start a process.
    report(what, pause, delays + max(BEYOND_RECONNECT, listening / 2))
    assert_whole(page, run_id, 500)
