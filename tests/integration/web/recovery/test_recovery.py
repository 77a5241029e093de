"""A socket that lost its process comes back to another one and is sent what it lacks (P3)."""

from __future__ import annotations

import re
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from shared.db.migrate import upgrade
from shared.db.sessions.read import PAGE, Conversation
from shared.errors import DatabaseUnavailable
from shared.event_log.store import LogView
from tests.support.clients.chat_client import ChatClient
from tests.support.servers.processes import Processes, RunningProcess, wait_until
from tests.support.servers.redis_server import RedisServer
from tests.support.web_stand import (
    OWNER,
    LiveRun,
    WebStand,
    address,
    joining,
    start_all,
    stop_all,
)
from web.payloads import ResumePayload
from web.recovery.recovery import Recovery
from web.recovery.rejoin import Rejoin
from web.recovery.store import RecoveryStore
from web.relay.feed_address import FeedAddress
from web.resume import live_first
from web.resume.session_reader import SessionReader
from web.server.client_faults import ClientFaults
from web.sockets.connections import Connection, Connections
from web.sockets.request_queue import RequestQueue


class RecordedPackets:
    """Packets by sid, and the sockets that were closed."""

    def __init__(self) -> None:
        self.sent: dict[str, list[list[Any]]] = {}
        self.closed: list[str] = []

    def deliver(self, sids: list[str], entry: bytes) -> None:
        for sid in list(sids):
            self.sent.setdefault(sid, []).append(orjson.loads(entry))

    def close(self, connection: Connection) -> None:
        self.closed.append(connection.sid)


class Process:
    """A web process, as far as recovery goes, on the servers of a stand."""

    def __init__(self, stand: WebStand, *, burst: int = 1000) -> None:
        self.recorded = RecordedPackets()
        self.connections = Connections()
        self.store = RecoveryStore(stand.commands)
        built = joining(
            stand.db,
            stand.log,
            stand.commands,
            stand.subscriber,
            self.recorded,  # type: ignore[arg-type]
            self.store,
            burst=burst,
        )
        self.relay, self.membership, self.resume = built.relay, built.membership, built.resume
        self._requests = RequestQueue(
            SimpleNamespace(connection=lambda _: None),  # type: ignore[arg-type]
            self.connections,
            self.recorded,  # type: ignore[arg-type]
            handlers={},
            refused=lambda *_: None,
            faults=ClientFaults(),
        )
        rejoin = Rejoin(
            sessions=built.sessions,
            relay=self.relay,
            membership=self.membership,
            resume=self.resume,
            store=self.store,
            run_emitter=built.run_emitter,
            sockets=self.recorded,
            burst=burst,
        )
        self.recovery = Recovery(
            store=self.store,
            rejoin=rejoin,
            requests=self._requests,
            connections=self.connections,
        )
        self._numbers = 0
        self._services = [self.store.service, *self.relay.services]
        start_all(self._services)
        wait_until(self.relay.subscriber.receives, what="the relay receives")

    def stop(self) -> None:
        stop_all(self._services)

    def kill(self) -> None:
        """Send and write nothing more."""
        self.store.trackers.clear()
        stop_all(self.relay.services)

    def connect(self, page: Page, owner: str = OWNER) -> Connection:
        """Let the page in; returns when it has been shown what it missed."""
        self._numbers += 1
        sid = f"{id(self):x}-{self._numbers}"
        connection = Connection(sid, sid, owner, "default", receives_own_aborts=False)
        self.recovery.identify(connection, page.says())
        self.connections.add(connection)
        tracker = self.store.trackers[sid]
        page.recovered = page.pid == tracker.pid
        page.pid = tracker.pid
        page.process, page.sid, page.read = self, sid, 0
        self.recovery.begin(connection)
        wait_until(lambda: self._requests.is_idle(sid), what="recovery")
        return connection


class Page:
    """What socket.io-client keeps: pid, last offset, and what its listeners got."""

    def __init__(self) -> None:
        self.pid: str | None = None
        self.offset: str | None = None
        self.recovered = False
        self.got: list[tuple[str, dict[str, Any]]] = []
        self.process: Process | None = None
        self.sid = ""
        self.read = 0

    def says(self) -> dict[str, Any]:
        said = {"pid": self.pid, "offset": self.offset}
        return {name: value for name, value in said.items() if value is not None}

    def receive(self, count: int | None = None) -> None:
        """Take the next packets, all or that many: what follows is on its way."""
        assert self.process is not None
        packets = self.process.recorded.sent.get(self.sid, [])[self.read :][:count]
        self.read += len(packets)
        for name, payload, *offset in packets:
            self.got.append((name, payload))
            if offset:
                self.offset = offset[0]

    def receive_until(self, name: str, count: int = 1) -> None:
        def there() -> bool:
            self.receive()
            return len(self.named(name)) >= count

        wait_until(there, what=f"{count} {name}")

    def named(self, name: str) -> list[dict[str, Any]]:
        return [payload for heard, payload in self.got if heard == name]

    def seqs(self, run: LiveRun) -> list[int]:
        return [
            p["seq"] for _, p in self.got if p.get("run_id") == run.keys.run_id and "delta" in p
        ]


@pytest.fixture
def process(stand: WebStand) -> Iterator[Callable[..., Process]]:
    made: list[Process] = []

    def make(**options: Any) -> Process:
        made.append(Process(stand, **options))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def join(process: Process, connection: Connection, session_id: str = "s") -> None:
    process.membership.join(connection, address(session_id))


def test_what_was_on_its_way_or_said_meanwhile_comes_on_another_process(
    stand: WebStand, process: Callable[..., Process]
) -> None:
    first, page, run = process(), Page(), stand.begin("s")
    join(first, first.connect(page))
    run.say("a", "b", "c")
    page.receive_until("message.delta", 0)
    wait_until(lambda: len(first.recorded.sent.get(page.sid, [])) == 3, what="three packets")
    page.receive(2)
    first.kill()
    run.say("d")
    second = process()
    second.connect(page)
    assert page.recovered
    run.say("e")
    page.receive_until("message.delta", 5)
    assert page.seqs(run) == [1, 2, 3, 4, 5]


def test_a_page_that_heard_nothing_before_its_process_died_hears_everything(
    stand: WebStand, process: Callable[..., Process]
) -> None:
    first, page = process(), Page()
    join(first, first.connect(page))
    first.kill()
    run = stand.begin("s")
    run.say("a", "b")
    second = process()
    second.connect(page)
    page.receive_until("message.delta", 2)
    assert (page.recovered, page.seqs(run)) == (True, [1, 2])


def test_a_page_that_comes_back_with_many_waits_for_its_turn(
    stand: WebStand, process: Callable[..., Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_first, "AT_ONCE", 1)
    monkeypatch.setattr(live_first, "PATIENCE", 30.0)
    first, page, run = process(), Page(), stand.begin("s")
    join(first, first.connect(page))
    first.kill()
    run.say("a")
    second = process()
    coming = threading.Thread(target=second.connect, args=(page,))
    with second.resume.turn_of(address("other")):
        coming.start()
        wait_until(lambda: second.resume._live_first._waiting, what="it waits")
        assert second.recorded.sent.get(page.sid, []) == []
    coming.join(10)
    page.receive_until("message.delta", 1)
    assert (page.recovered, page.seqs(run)) == (True, [1])


@pytest.mark.parametrize("received", range(8))
def test_two_runs_of_which_one_ended_are_whole_wherever_the_page_was_cut_off(
    stand: WebStand, process: Callable[..., Process], received: int
) -> None:
    first, page = process(), Page()
    old = stand.begin("s")
    old.say("old")
    stand.finish(old, "s", "old")
    join(first, first.connect(page))
    runs = [stand.begin("s")]
    runs[0].say("a", "b")
    stand.finish(runs[0], "s", "ab")
    wait_until(lambda: len(first.recorded.sent.get(page.sid, [])) == 4, what="the first run")
    runs.append(stand.begin("s"))
    runs[1].say("c", "d")
    wait_until(lambda: len(first.recorded.sent.get(page.sid, [])) == 6, what="the second run")
    page.receive(received)
    first.kill()
    runs[1].say("e")
    stand.finish(runs[1], "s", "cde")
    runs.append(stand.begin("s"))
    runs[2].say("f")
    second = process()
    second.connect(page)
    page.receive_until("message.delta", 6)
    assert [page.seqs(run) for run in (old, *runs)] == [[], [1, 2], [1, 2, 3], [1]]
    ended = [p["run_id"] for p in page.named("run.completed")]
    assert ended == [run.keys.run_id for run in runs[:2]]


def test_a_page_may_be_lost_again_while_it_is_shown_what_it_missed(
    stand: WebStand, process: Callable[..., Process]
) -> None:
    first, page, runs = process(), Page(), [stand.begin("s"), stand.begin("t")]
    connection = first.connect(page)
    join(first, connection)
    join(first, connection, "t")
    for turn in range(6):
        for run in runs:
            run.say(*(f"{turn}-{n} " for n in range(5)))
        lost, first = first, process()
        lost.kill()
        first.connect(page)
        page.receive(3)
    first.kill()
    last = process()
    last.connect(page)
    page.receive_until("message.delta", 60)
    assert [page.seqs(run) for run in runs] == [list(range(1, 31))] * 2


def test_a_resumed_that_was_on_its_way_comes_once_more(
    stand: WebStand, process: Callable[..., Process]
) -> None:
    first, page, run = process(), Page(), stand.begin("s")
    run.say("a", "b")
    first.resume.resume(first.connect(page), ResumePayload(session_id="s"))
    first.kill()
    second = process()
    second.connect(page)
    run.say("c")
    page.receive_until("message.delta")
    (resumed,) = page.named("resumed")
    assert (resumed["seq"], page.seqs(run)) == (2, [3])


def test_what_a_resumed_showed_does_not_come_again(
    stand: WebStand, process: Callable[..., Process]
) -> None:
    first, page, run = process(), Page(), stand.begin("s")
    run.say("a", "b")
    first.resume.resume(first.connect(page), ResumePayload(session_id="s"))
    page.receive_until("resumed")
    first.kill()
    run.say("c")
    second = process()
    second.connect(page)
    page.receive_until("message.delta")
    assert (len(page.named("resumed")), page.seqs(run)) == (1, [3])


def test_what_a_resync_was_the_first_to_show_does_not_come_again(
    stand: WebStand, process: Callable[..., Process]
) -> None:
    first, other, page = process(), Page(), Page()
    run = stand.begin("s")
    join(first, first.connect(other))
    run.say("a")
    other.receive_until("message.delta")
    _gone(stand, run)
    first.resume.resume(first.connect(page), ResumePayload(session_id="s"))
    page.receive_until("resumed")
    stand.finish(run, "s", "a")
    first.relay.sweeper.sweep()
    page.receive_until("session.resync")
    assert [m["content"] for m in page.named("session.resync")[0]["messages"]] == ["hi", "a"]
    first.kill()
    second, heard = process(), len(page.got)
    second.connect(page)
    assert page.recovered
    stand.begin("s", "more").say("b")
    page.receive_until("message.delta")
    assert [name for name, _ in page.got[heard:]] == ["message.delta"]


def test_a_page_that_comes_back_while_the_others_are_repaired_lacks_nothing(
    stand: WebStand, process: Callable[..., Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, page, run = process(), Page(), stand.begin("s")
    join(first, first.connect(page))
    run.say("a")
    page.receive_until("message.delta")
    first.kill()
    second, other = process(), Page()
    second.resume.resume(second.connect(other), ResumePayload(session_id="s"))
    feed = second.relay.feeds.find(address("s").tag)
    assert feed is not None
    feed.needs_resync = True  # as after a degraded answer
    read = SessionReader.announced_conversation
    says = iter(["b"])

    def read_and_go_on(
        sessions: SessionReader, of: FeedAddress, messages: int = PAGE
    ) -> Conversation:
        for word in says:
            run.say(word)
        return read(sessions, of, messages)

    monkeypatch.setattr(SessionReader, "announced_conversation", read_and_go_on)
    second.connect(page)
    page.receive_until("session.resync")
    run.say("c")
    page.receive_until("message.delta", 2)
    (shown,) = page.named("session.resync")
    assert shown["messages"][-1]["content"] == "ab"
    assert page.seqs(run) == [1, 3]


def _gone(stand: WebStand, run: LiveRun) -> None:
    stand.commands.delete(run.keys.log, run.keys.meta, run.keys.checkpoint, run.keys.live)


def _other_epoch(stand: WebStand, run: LiveRun) -> None:
    _gone(stand, run)
    run.epoch, run.head = 2, 0
    run.install()
    run.say(*"uvwxyz")


def _checkpointed(stand: WebStand, run: LiveRun) -> None:
    from shared.protocol.state_events import StateEvents
    from shared.protocol.transcript import Transcript

    (view,) = stand.log.read([(run.keys, 0)])
    assert isinstance(view, LogView)
    transcript = Transcript(view.run_id, "s")
    fold = {"transcript": transcript.to_state(), "state_events": StateEvents().to_state()}
    stand.log.checkpoint(run.keys, fence=1, seq=4, fold=orjson.dumps(fold))


def _too_much(_: WebStand, run: LiveRun) -> None:
    run.say(*"0123456789" * 3)


@pytest.mark.parametrize("what", [_gone, _other_epoch, _checkpointed, _too_much])
def test_a_log_that_does_not_continue_what_the_page_has_is_told_by_a_resync(
    stand: WebStand, process: Callable[..., Process], what: Callable[[WebStand, LiveRun], None]
) -> None:
    first, page, run = process(), Page(), stand.begin("s")
    join(first, first.connect(page))
    run.say("a", "b", "c")
    page.receive_until("message.delta", 3)
    first.kill()
    run.say("d", "e")
    what(stand, run)
    second = process(burst=20)
    second.connect(page)
    page.receive_until("session.resync")
    assert len(page.named("message.delta")) == 3
    assert page.named("session.resync")[0]["session_id"] == "s"
    assert not page.named("resumed")


def test_a_stopped_run_stays_muted(stand: WebStand, process: Callable[..., Process]) -> None:
    first, page, run = process(), Page(), stand.begin("s")
    connection = first.connect(page)
    join(first, connection)
    run.say("a")
    page.receive_until("message.delta")
    first.membership.mute(connection, address(), run.keys.run_id)
    first.kill()
    run.say("b")
    second = process()
    second.connect(page)
    run.say("c")
    stand.finish(run, "s", "abc")
    next_run = stand.begin("s")
    next_run.say("d")
    page.receive_until("message.delta", 2)
    assert (page.seqs(run), page.seqs(next_run)) == ([1], [1])
    assert not page.named("run.completed")


@pytest.mark.parametrize(
    "said",
    [
        {"pid": "nobody's"},
        {"pid": 7},
        {"pid": "x" * 1000},
        {"pid": None},
        {"offset": "nonsense"},
        {"offset": {"a": 1}},
        {"offset": "0," + "a:1:1," * 500},
    ],
)
def test_an_unknown_pid_or_a_malformed_offset_is_a_new_socket(
    stand: WebStand, process: Callable[..., Process], said: dict[str, Any]
) -> None:
    first, page, run = process(), Page(), stand.begin("s")
    join(first, first.connect(page))
    run.say("a")
    page.receive_until("message.delta")
    for name, value in said.items():
        setattr(page, name, value)
    first.connect(page)
    assert not page.recovered
    run.say("b")
    stand.finish(run, "s", "ab")
    page.receive()
    assert page.seqs(run) == [1]


def test_the_pid_of_another_owner_is_unknown(
    stand: WebStand, process: Callable[..., Process]
) -> None:
    first, page, thief = process(), Page(), Page()
    join(first, first.connect(page))
    run = stand.begin("s")
    run.say("a")
    page.receive_until("message.delta")
    thief.pid, thief.offset = page.pid, page.offset
    first.connect(thief, owner="somebody else")
    thief.receive()
    assert not thief.recovered
    assert not thief.got
    assert thief.pid != page.pid


def test_an_offset_of_a_pid_that_was_refused_does_not_count_for_the_new_one(
    stand: WebStand, process: Callable[..., Process]
) -> None:
    first, page, run = process(), Page(), stand.begin("s")
    join(first, first.connect(page))
    run.say("a", "b")
    page.receive_until("message.delta", 2)
    stand.commands.delete(*stand.commands.keys("hf:pid:*"))
    connection = first.connect(page)
    assert not page.recovered
    run.say("unheard")
    join(first, connection)
    run.say("c")
    second = process()
    second.connect(page)  # before anything came
    page.receive_until("message.delta", 3)
    assert (page.recovered, page.seqs(run)) == (True, [1, 2, 4])


def test_an_unknown_session_is_joined_again(
    stand: WebStand, process: Callable[..., Process]
) -> None:
    first, page = process(), Page()
    first.resume.resume(first.connect(page), ResumePayload(session_id="s"))
    page.receive_until("resumed")
    first.kill()
    second = process()
    second.connect(page)
    page.receive()
    assert [name for name, _ in page.got] == ["resumed"]
    run = stand.begin("s")
    run.say("a")
    page.receive_until("message.delta")
    assert page.recovered


def test_without_the_database_live_events_go_on_and_all_is_told_once_it_is_back(
    stand: WebStand, process: Callable[..., Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, page, run = process(), Page(), stand.begin("s")
    join(first, first.connect(page))
    run.say("a")
    page.receive_until("message.delta")
    second, back = process(), threading.Event()
    asked = {name: getattr(stand.db, name) for name in ("read", "single")}

    def away(work: Any, name: str) -> Any:
        if not back.is_set():
            raise DatabaseUnavailable
        return asked[name](work)

    for name in asked:
        monkeypatch.setattr(stand.db, name, partial(away, name=name))
    run.say("b")
    second.connect(page)
    back.set()
    second.relay.sweeper.sweep()
    page.receive_until("session.resync")
    assert page.recovered
    run.say("c")
    page.receive_until("message.delta", 3)
    assert page.seqs(run) == [1, 2, 3]


def test_records_live_for_minutes_and_go_with_a_good_bye(
    stand: WebStand, process: Callable[..., Process]
) -> None:
    first, page = process(), Page()
    connection = first.connect(page)
    assert stand.commands.keys("hf:pid:*") == []
    join(first, connection)
    keys = stand.commands.keys("hf:pid:*")
    assert len(keys) == 2
    assert all(0 < stand.commands.ttl(key) <= 300 for key in keys)
    assert not any(str(page.pid).encode() in key for key in keys)
    first.recovery.disconnected(connection, for_good=True)
    first.connect(page)
    assert not page.recovered


@pytest.fixture
def web(redis_server: RedisServer, tmp_path: Path) -> Iterator[tuple[RunningProcess, str]]:
    """A real process and its URL."""
    url = f"sqlite:///{tmp_path / 'test.db'}"
    upgrade(url)
    processes = Processes(tmp_path)
    environment = {
        "REDIS_URL": redis_server.url,
        "DATABASE_URL": url,
        "HOLDFAST_HOME": str(tmp_path),
        "AUTH_TOKEN": "token",
        "PORT": "0",
        "WEB_DRAIN_SECONDS": "3",
    }
    process = processes.start_module("web", "web", environment=environment)
    process.wait_for_log("web.listening")
    found = re.search(r"web\.listening url=(\S+)", process.log())
    assert found is not None
    yield process, found[1]
    processes.stop_all()


def test_a_process_that_leaves_answers_first_and_closes_without_a_dismissal(
    web: tuple[RunningProcess, str], tmp_path: Path
) -> None:
    process, url = web
    clients = [ChatClient(url) for _ in range(5)]
    gone: list[str] = []
    for client in clients:
        client.client.on("disconnect", gone.append, namespace="/chat-run")
    answers: list[dict[str, Any]] = []
    other = sqlite3.connect(tmp_path / "test.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    asking = threading.Thread(
        target=lambda: answers.append(clients[0].call("run", {"input": "x", "session_id": "s"}))
    )
    asking.start()
    try:
        time.sleep(0.2)  # the request is on its way; later would be as good
        process.signal(signal.SIGTERM)
        process.wait_for_log("web.stopping")
        wait_until(lambda: len(gone) == 4, what="the idle ones are sent away")
        other.execute("ROLLBACK")
        asking.join(10)
        assert answers[0]["ok"], answers
        assert process.wait() == 0
        wait_until(lambda: len(gone) == 5, what="the last one is sent away")
        assert "server disconnect" not in gone
    finally:
        other.close()
        for client in clients:
            client.close()
    assert "Traceback" not in process.log()


def test_a_process_does_not_stay_for_an_answer_that_takes_too_long(
    web: tuple[RunningProcess, str], tmp_path: Path
) -> None:
    process, url = web
    client = ChatClient(url)
    other = sqlite3.connect(tmp_path / "test.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    client.emit("run", {"input": "x", "session_id": "s"})
    process.signal(signal.SIGTERM)
    assert process.wait(within=15) == 0
    other.close()
    client.close()
