"""Two installations on one Redis server: neither hears anything of the other (CASES C2)."""

from collections.abc import Callable

import pytest

from shared.delete_session import SessionDeleter
from shared.event_log.clients import command_client, database_of
from shared.protocol.events import session_notification
from tests.support.servers.processes import wait_until
from tests.support.servers.redis_server import RedisServer
from tests.support.web_stand import LiveRun, WebStand, address
from worker.stop_listener import StopListener


def in_database(server: RedisServer, number: int) -> str:
    return f"{server.url.rpartition('/')[0]}/{number}"


def say_everything(stand: WebStand) -> None:
    """An event of a run, its end, a new log, and an event of the session."""
    run = LiveRun(stand.log, address().keys("theirs"))
    run.say("secret")
    run.end()
    stand.log.notify(address().tag, session_notification("queue.updated", {"queue": []}))


def hears_only_its_own(mine: WebStand, theirs: WebStand) -> bool:
    socket = mine.socket()
    mine.membership.join(socket, address())
    say_everything(theirs)
    LiveRun(mine.log, address().keys("mine")).say("a")
    wait_until(lambda: mine.emitter.seqs(socket.sid), what="my own")
    return {p.get("run_id") for _, p in mine.emitter.to(socket.sid)} == {"mine"}


def test_another_database_of_the_server_is_not_heard(
    make_stand: Callable[..., WebStand], redis_server: RedisServer
) -> None:
    mine = make_stand(in_database(redis_server, 1))
    assert hears_only_its_own(mine, make_stand(in_database(redis_server, 0)))


def test_another_installation_is_not_heard(make_stand: Callable[..., WebStand]) -> None:
    mine = make_stand(installation="mine")
    theirs = make_stand(installation="theirs")
    socket = mine.socket()
    mine.membership.join(socket, address())
    theirs.log.notify(address().tag, session_notification("queue.updated", {"theirs": True}))
    mine.log.notify(address().tag, session_notification("queue.updated", {"theirs": False}))
    wait_until(lambda: mine.emitter.to(socket.sid), what="my own")
    assert [payload["theirs"] for _, payload in mine.emitter.to(socket.sid)] == [False]


class NoTasks:
    def stop_run(self, run_id: str) -> bool:
        return True


@pytest.mark.parametrize(
    ("database", "installation", "heard"), [(0, "hf", True), (1, "hf", False), (0, "b", False)]
)
def test_stops_reach_the_workers_of_the_same_installation(
    make_stand: Callable[..., WebStand],
    redis_server: RedisServer,
    database: int,
    installation: str,
    heard: bool,
) -> None:
    stops: list[str] = []
    url = in_database(redis_server, 0)
    listener = StopListener(url, "hf", stops.append)
    listener.start()
    here = make_stand(url)
    there = make_stand(in_database(redis_server, database), installation=installation)
    try:
        control = here.log.channels_on(here.commands).control
        wait_until(lambda: here.commands.pubsub_numsub(control)[0][1] == 1, what="it listens")
        ask(there, "run_there")
        ask(here, "run_here")
        wait_until(lambda: "run_here" in stops, what="the stop from here")
    finally:
        listener.stop()
    assert stops == (["run_there"] if heard else []) + ["run_here"]


def ask(stand: WebStand, run_id: str) -> None:
    deleter = SessionDeleter(stand.db, stand.log, stand.commands, NoTasks())  # type: ignore[arg-type]
    deleter._notify_workers(run_id)


@pytest.mark.parametrize(
    ("url", "number"),
    [
        ("redis://h", 0),
        ("redis://h:1/7", 7),
        ("rediss://h?db=2", 2),
        ("unix:///tmp/r", 0),
        ("unix:///tmp/r?db=3", 3),
    ],
)
def test_the_number_of_the_database_comes_from_the_url(url: str, number: int) -> None:
    assert database_of(command_client(url)) == number
