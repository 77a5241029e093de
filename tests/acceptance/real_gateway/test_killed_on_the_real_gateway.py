"""The worker dies, or freezes, in the middle of a run on the real gateway: nothing is lost.

Once with the settings as they are (a lease of 15 s), which shows that another worker goes on
within 20 s; the other moments with a short lease, since they differ in nothing else.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from shared.db.models import AttemptRow
from shared.db.runs.attempts import attempts
from tests.acceptance.conftest import Clients, JsClients
from tests.acceptance.model_steps import FIRST, LAST, PACES, PRINTED, SPOKEN, script
from tests.acceptance.real_gateway.conftest import NEW, OLD_AT_HOME, Kind, only_with
from tests.support.clients.js_client import JsClient
from tests.support.clients.socket_client import SocketClient
from tests.support.gateways.hermes import HermesGateway
from tests.support.gateways.model_script import last_message
from tests.support.gateways.model_server import ModelServer
from tests.support.recording import Recording
from tests.support.servers.processes import RunningProcess, wait_until
from tests.support.servers.stack import Stack

# Without a transcript steps are lost: tests/integration/worker/run/test_run_faults.py.
pytestmark = only_with(NEW, everywhere=[NEW, OLD_AT_HOME])

REATTACHED_WITHIN = 20.0  # seconds after the kill, with the default settings


@pytest.fixture(scope="module")
def model(kind: Kind) -> Iterator[ModelServer]:
    """What the gateway thinks with."""
    with ModelServer() as server:
        server.by_prompt.update({name: script(pace) for name, pace in PACES.items()})
        yield server


@pytest.fixture(scope="module")
def usual(hermes: HermesGateway, told: dict[str, Any]) -> Iterator[Stack]:
    """Two workers, all settings as they are."""
    made = Stack(gateway=(hermes.url, hermes.key), workers=2, **told)
    try:
        yield made.start()
    finally:
        made.stop()


@pytest.fixture(scope="module")
def hasty(hermes: HermesGateway, told: dict[str, Any]) -> Iterator[Stack]:
    """Two workers that take over from each other after three seconds."""
    hurry: dict[str, Any] = {"LEASE_SECONDS": 3, "REAP_SECONDS": 0.5}
    made = Stack(gateway=(hermes.url, hermes.key), workers=2, **hurry, **told)
    try:
        yield made.start()
    finally:
        made.stop()


@dataclass
class Watched:
    """A run and who watches it: one that stays, and one that goes and comes back with a cursor."""

    stack: Stack
    stays: SocketClient
    leaves: SocketClient
    session_id: str
    run_id: str

    @property
    def owner(self) -> RunningProcess:
        return self.stack.owner_of(self.run_id)

    def kill_owner(self) -> float:
        """SIGKILL to the worker that has the run; when that was (monotonic seconds)."""
        owner = self.owner
        owner.kill()
        self.stack.workers.remove(owner)
        return time.monotonic()

    def comes_back(self, connect: Clients) -> list[Recording]:
        """The second one's page is loaded anew with what it knows: its records, in order."""
        self.leaves.disconnect()
        known = [p for p in self.leaves.all(run_id=self.run_id) if "seq" in p]
        back = connect(self.stack)
        cursor = {"epoch": known[-1]["epoch"], "after_seq": known[-1]["seq"]}
        shown = back.resume(self.session_id, run_id=self.run_id, **cursor)
        assert shown["replay"] is True
        return [self.leaves, back]


Begin = Callable[..., Watched]


@pytest.fixture
def begin(connect: Clients, session_id: str) -> Iterator[Begin]:
    """Starts a run of that case and gives it with its watchers; afterwards all workers are back."""
    stacks: list[Stack] = []

    def start(stack: Stack, case: str) -> Watched:
        stacks.append(stack)
        stays, leaves = connect(stack, protocol=None), connect(stack)
        leaves.resume(session_id)
        run_id = stays.run(f"Please do the {case} of {session_id}.", session_id)
        stays.wait_for("run.started", lambda p: p["run_id"] == run_id)
        return Watched(stack, stays, leaves, session_id, run_id)

    yield start
    for stack in stacks:
        while len(stack.workers) < 2:
            stack.add_worker()


def words(recording: Recording, run_id: str) -> list[str]:
    """What of the run a page shows that knows nothing of seq; a tool call ends a message."""
    pieces = [
        h.payload["delta"] if h.name == "message.delta" else "\n"
        for h in list(recording.received)
        if h.payload.get("run_id") == run_id and h.name in ("message.delta", "tool.started")
    ]
    return "".join(pieces).split()


def tries(run: Watched) -> list[AttemptRow]:
    """What stands in the database of its POSTs."""
    return run.stack.read(lambda s: attempts(s, run.run_id))


def assert_complete(run: Watched, model: ModelServer, case: str) -> None:
    """One POST, one answer of each step by the model, and the whole transcript in the database."""
    asked = model.asked(f"{case} of {run.session_id}.")
    assert [last_message(body)["role"] for body in asked] == ["user", "tool"]
    assert len(tries(run)) == 1
    assert run.stack.run_row(run.run_id).state == "completed"
    _, caller, result, final = run.stack.messages(run.run_id)
    assert caller.content.split() == "".join(FIRST).split()
    (call,) = caller.tool_calls or [{}]
    assert call["id"] == result.tool_call_id == "call_sleep"
    assert "sleep" in json.loads(call["function"]["arguments"])["command"]
    assert result.tool_name == "terminal"
    assert PRINTED in result.content
    assert final.content.split() == "".join(LAST).split()
    assert (caller.finish_reason, final.finish_reason) == ("tool_calls", "stop")


def assert_shown_once(run: Watched, came_back: list[Recording], late: SocketClient) -> None:
    """Everybody saw every word and every step once and in order."""
    end = run.stays.end(run.run_id, within=60)
    assert (end["event"], end["status"], end.get("resync")) == ("run.completed", "completed", None)
    assert words(run.stays, run.run_id) == SPOKEN
    names = run.stays.names(run.run_id)
    assert [names.count(n) for n in ("tool.started", "tool.completed", "run.completed")] == [1] * 3
    assert names.index("tool.started") < names.index("tool.completed")
    came_back[-1].end(run.run_id, within=60)
    seqs = [seq for record in came_back for seq in record.seqs(run.run_id)]
    assert seqs == list(range(1, len(seqs) + 1)) == run.stays.seqs(run.run_id)
    assert [w for record in came_back for w in words(record, run.run_id)] == SPOKEN
    shown = late.resume(run.session_id)["messages"]
    assert [m["role"] for m in shown] == ["user", "assistant", "tool", "assistant"]
    assert " ".join(m["content"] for m in shown if m["role"] == "assistant").split() == SPOKEN


def assert_whole_for_page(page: JsClient, label: str) -> None:
    """The page that was written before this project received every word and one end."""
    page.wait_for("run.completed", lambda p: p["label"] == label, within=60)
    (end,) = [p for p in page.all("run.completed") if p["label"] == label]
    assert words(page, end["run_id"]) == SPOKEN


def test_a_worker_killed_while_text_streams_with_the_settings_as_they_are(
    usual: Stack,
    model: ModelServer,
    begin: Begin,
    connect: Clients,
    js_client: JsClients,
) -> None:
    # The page's run goes to the same gateway at the same time, and may be on the same worker.
    page = js_client(usual, "existing_client.js")
    session = "session-of-the-page"
    page.send("run", label="a", session_id=session, input=f"Please do the slow case of {session}.")
    run = begin(usual, "slow case")
    run.stays.wait_until(lambda: len(words(run.stays, run.run_id)) > 10, within=60, what="text")
    killed_at = run.kill_owner()
    came_back = run.comes_back(connect)
    run.stays.wait_for("run.reattached", lambda p: p["run_id"] == run.run_id, within=30)
    pause = next(h.at for h in run.stays.received if h.name == "run.reattached") - killed_at
    print(f"\npause: worker killed on the real gateway -> run.reattached: {pause:.1f} s")  # noqa: T201
    assert pause <= REATTACHED_WITHIN
    assert usual.run_row(run.run_id).state == "running", "the takeover happened in mid-run"
    assert_shown_once(run, came_back, connect(usual))
    assert_complete(run, model, "slow case")
    assert_whole_for_page(page, "a")


def in_text(run: Watched) -> bool:
    return len(words(run.stays, run.run_id)) > 10


def in_tool(run: Watched) -> bool:
    return bool(run.stays.all("tool.started", run_id=run.run_id))


def before_text(run: Watched) -> bool:
    return tries(run)[0].stream_opened


@pytest.mark.parametrize(
    ("case", "moment"),
    [("text case", in_text), ("tool case", in_tool), ("thinking case", before_text)],
    ids=["while text streams", "while a tool runs", "before any text"],
)
def test_a_worker_killed_at_any_moment_loses_no_word_and_no_tool_result(
    hasty: Stack,
    model: ModelServer,
    begin: Begin,
    connect: Clients,
    case: str,
    moment: Callable[[Watched], bool],
) -> None:
    run = begin(hasty, case)
    wait_until(lambda: moment(run), within=60, what=case)
    shown = words(run.stays, run.run_id)
    run.kill_owner()
    assert SPOKEN[: len(shown)] == shown != SPOKEN
    assert run.stays.names(run.run_id).count("tool.completed") == 0
    came_back = run.comes_back(connect)
    reattached = run.stays.wait_for("run.reattached", within=REATTACHED_WITHIN)
    assert reattached["mode"] == "polling"
    assert_shown_once(run, came_back, connect(hasty))
    assert_complete(run, model, case)


def test_the_second_worker_may_be_killed_too(
    hasty: Stack, model: ModelServer, begin: Begin, connect: Clients
) -> None:
    run = begin(hasty, "killed twice case")
    wait_until(lambda: in_text(run), within=60, what="text")
    first = run.owner
    run.kill_owner()
    run.stays.wait_for("run.reattached", within=REATTACHED_WITHIN)
    assert run.owner is not first
    hasty.add_worker()
    run.kill_owner()
    came_back = run.comes_back(connect)
    run.stays.wait_until(
        lambda: run.stays.names(run.run_id).count("run.reattached") == 2,
        within=REATTACHED_WITHIN,
        what="the third worker",
    )
    assert_shown_once(run, came_back, connect(hasty))
    assert_complete(run, model, "killed twice case")


def test_a_worker_frozen_for_longer_than_its_lease_writes_nothing_when_it_wakes_up(
    hasty: Stack, model: ModelServer, begin: Begin, connect: Clients
) -> None:
    run = begin(hasty, "frozen case")
    wait_until(lambda: in_text(run), within=60, what="text")
    frozen = run.owner
    frozen.signal(signal.SIGSTOP)
    try:
        came_back = run.comes_back(connect)
        run.stays.wait_for("run.reattached", within=REATTACHED_WITHIN)
        assert run.owner is not frozen
        at_wake_up = hasty.run_row(run.run_id)
        assert at_wake_up.state == "running"
    finally:
        frozen.signal(signal.SIGCONT)
    frozen.wait_for_log(f"run_id={run.run_id}", within=10)
    wait_until(lambda: "run.lost" in frozen.log(), within=10, what="it notices")
    assert_shown_once(run, came_back, connect(hasty))
    assert_complete(run, model, "frozen case")
    assert hasty.run_row(run.run_id).fence == at_wake_up.fence
    following = run.stays.run("Say hello.", run.session_id)
    assert run.stays.end(following, within=60)["status"] == "completed"
    assert frozen.returncode is None
