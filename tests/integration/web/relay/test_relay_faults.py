"""The relay when its connection to Redis fails in each way that is known (FAILURES 5, 29-31)."""

import time
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from shared.db.runs.terminal import mark_announced
from shared.errors import DatabaseUnavailable
from shared.event_log.store import EventLog
from shared.protocol.events import parse_notification
from shared.run_end import announce_again
from tests.support.servers.processes import wait_until
from tests.support.servers.redis_server import RedisServer
from tests.support.servers.tcp_proxy import TcpProxy
from tests.support.web_stand import LiveRun, WebStand, address, stop_all, without_notification
from web.payloads import ResumePayload
from web.sockets.connections import Connection

LIMIT = 64 * 1024  # bytes that this Redis keeps for a subscriber before it cuts it off


def watching(stand: WebStand) -> tuple[Connection, LiveRun]:
    """A member that gets a live run, after the sweep with which a relay begins."""
    wait_until(
        lambda: stand.relay.sweeper._swept_at and not stand.relay.sweeper._at_once,
        what="the first sweep",
    )
    socket = stand.socket()
    stand.membership.join(socket, address())
    run = LiveRun(stand.log, address().keys("r"))
    run.say("a")
    stand.wait_for_seqs(socket, 1)
    return socket, run


def test_a_lost_last_doorbell_is_made_up_for_without_any_other(
    make_stand: Callable[..., WebStand],
) -> None:
    stand = make_stand(sweep_every=0.3)
    socket, run = watching(stand)
    without_notification(stand, run, "b", "c")
    stand.wait_for_seqs(socket, 3)


def test_who_joins_while_the_bell_is_given_up_waits_and_hears(
    make_stand: Callable[..., WebStand], monkeypatch: pytest.MonkeyPatch
) -> None:
    stand = make_stand(linger=0.0)
    socket, run = watching(stand)
    confirm = stand.relay.subscriber.shards[0]._confirm

    def slowly(channel: str, kind: str) -> None:
        if kind == "unsubscribe":
            time.sleep(0.5)
        confirm(channel, kind)

    monkeypatch.setattr(stand.relay.subscriber.shards[0], "_confirm", slowly)
    stand.membership.leave(socket, address().tag)
    wait_until(lambda: stand.relay.feeds.find(address().tag) is None, what="the feed is closed")
    again = stand.socket()
    stand.membership.join(again, address())
    run.say("b")
    wait_until(lambda: stand.emitter.seqs(again.sid) == [2], what="what is said from here on")


def unnotified(stand: WebStand, run_id: str) -> LiveRun:
    """A run whose notifications go to other channels."""
    log = EventLog([stand.commands], timedelta(seconds=60), "elsewhere")
    return LiveRun(log, address().keys(run_id))


def begun_unnotified(stand: WebStand) -> tuple[Connection, LiveRun]:
    """A socket, and a run that began after it joined and of which it knows nothing."""
    socket = stand.socket()
    stand.membership.join(socket, address())
    run = unnotified(stand, "r")
    run.say("a", "b")
    return socket, run


def test_a_run_of_which_no_doorbell_was_heard_is_found_by_the_sweep(
    make_stand: Callable[..., WebStand],
) -> None:
    stand = make_stand(sweep_every=0.3)
    socket, _ = begun_unnotified(stand)
    stand.wait_for_seqs(socket, 2)


def received(stand: WebStand, socket: Connection) -> list[tuple[str, int]]:
    return [(payload["run_id"], payload["seq"]) for _, payload in stand.emitter.to(socket.sid)]


def test_a_run_that_began_and_ended_while_nobody_listened_is_told_once(
    make_stand: Callable[..., WebStand],
) -> None:
    stand = make_stand()
    socket, first = watching(stand)
    first.end()
    run = unnotified(stand, "unnotified")
    run.say("a", "b")
    run.end()
    stand.commands.client_kill_filter(_type="pubsub")
    whole = [("r", 1), ("r", 2), ("r", 3), *(("unnotified", seq) for seq in (1, 2, 3, 4))]
    wait_until(lambda: received(stand, socket) == whole, what="all of it, and nothing twice")
    late = stand.socket()
    stand.membership.join(late, address())
    stand.relay.sweeper.sweep()
    LiveRun(stand.log, address().keys("next")).say("c")
    for one, before in ((socket, whole), (late, [])):
        wait_until(
            lambda one=one: ("next", 1) in received(stand, one),  # type: ignore[misc]
            what="the next run",
        )
        assert received(stand, one) == [*before, ("next", 1)]


@pytest.mark.parametrize("way", ["run", "resume"])
def test_who_joins_first_leaves_nothing_unheard_for_those_who_were_there(
    make_stand: Callable[..., WebStand], way: str
) -> None:
    stand = make_stand()
    socket, first = watching(stand)
    first.end()
    run = unnotified(stand, "unnotified")
    run.say("a")
    run.end()
    late = stand.socket()
    if way == "run":
        stand.membership.join(late, address())
    else:
        stand.resume.resume(late, ResumePayload(session_id="s"))
    whole = [("r", 1), ("r", 2), ("r", 3), *(("unnotified", seq) for seq in (1, 2, 3))]
    wait_until(lambda: received(stand, socket) == whole, what="all of it")
    assert [name for name, _ in stand.emitter.to(late.sid) if name != "resumed"] == []


@pytest.mark.parametrize("way", ["run", "resume"])
def test_who_joins_after_an_end_that_no_row_tells_hears_nothing_of_it(
    make_stand: Callable[..., WebStand], way: str
) -> None:
    stand = make_stand()
    ended = LiveRun(stand.log, address().keys("r"))
    ended.say("a")
    ended.end()
    socket = stand.socket()
    if way == "run":
        stand.membership.join(socket, address())
    else:
        stand.resume.resume(socket, ResumePayload(session_id="s"))
    assert_gets_only_the_next(stand, socket)


def test_an_old_run_that_a_tab_names_is_not_told_to_the_others_again(
    make_stand: Callable[..., WebStand],
) -> None:
    """As when the rows had it open while the first one joined, and its log had it ended."""
    stand = make_stand()
    old = LiveRun(stand.log, address().keys("r"))
    old.say("a")
    old.end()
    stand.commands.delete(old.keys.live)  # more than a minute ago
    first, second = stand.socket(), stand.socket()
    stand.membership.join(first, address())
    named = ResumePayload(session_id="s", run_id="r", epoch=1, after_seq=0)
    stand.resume.resume(second, named)
    assert stand.emitter.seqs(second.sid) == [1]
    assert_gets_only_the_next(stand, first)


def assert_gets_only_the_next(stand: WebStand, socket: Connection) -> None:
    stand.relay.sweeper.sweep()
    feed = stand.relay.feeds.find(address().tag)
    assert feed is not None
    wait_until(lambda: not feed.filling, what="what the sweep began")
    LiveRun(stand.log, address().keys("next")).say("b")
    wait_until(lambda: stand.emitter.seqs(socket.sid), what="the next run")
    received_runs = [
        payload["run_id"] for name, payload in stand.emitter.to(socket.sid) if "seq" in payload
    ]
    assert received_runs == ["next"]


def test_who_resumes_between_a_flush_and_the_new_log_gets_the_beginning(
    make_stand: Callable[..., WebStand], redis_server: RedisServer
) -> None:
    stand = make_stand()
    first, second = stand.socket(), stand.socket()
    run = stand.begin("s", "hello")
    stand.membership.join(first, address())
    run.say("a", "b")
    stand.wait_for_text(first, "ab")
    wait_until(
        lambda: stand.relay.sweeper._swept_at, what="the sweep at the start"
    )  # there is no other
    redis_server.flush()
    stand.resume.resume(second, ResumePayload(session_id="s"))
    written = tuple(run._entry("message.delta", i + 1, delta=d) for i, d in enumerate("ab"))
    stand.log.install(
        run.keys, fence=run.fence, epoch=run.epoch, min_head=2, create=True, entries=written
    )
    run.say("c")
    for socket in (first, second):
        stand.wait_for_text(socket, "abc")


def test_who_resumes_between_a_flush_and_the_new_log_hears_nothing_before_the_resync(
    make_stand: Callable[..., WebStand],
    redis_server: RedisServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stand = make_stand()
    first, second = stand.socket(), stand.socket()
    run = stand.begin("s", "hello")
    stand.membership.join(first, address())
    run.say("a")
    stand.wait_for_text(first, "a")
    redis_server.flush()
    stand.resume.resume(second, ResumePayload(session_id="s"))
    working = stand.relay._resync

    def failing(_: object) -> None:
        raise DatabaseUnavailable

    monkeypatch.setattr(stand.relay, "_resync", failing)
    written = (run._entry("message.delta", 1, delta="a"),)
    stand.log.install(
        run.keys, fence=run.fence, epoch=run.epoch, min_head=1, create=True, entries=written
    )
    run.say("b")
    stand.wait_for_text(first, "ab")
    assert [name for name, _ in stand.emitter.to(second.sid)] == ["resumed"]
    monkeypatch.setattr(stand.relay, "_resync", working)
    stand.relay.sweeper.sweep()
    stand.wait_for_text(second, "ab")
    run.say("c")
    for socket in (first, second):
        stand.wait_for_text(socket, "abc")
    assert stand.emitter.seqs(second.sid) == [3]


def ended_and_lost(
    stand: WebStand, redis_server: RedisServer, session_id: str = "s"
) -> tuple[Connection, LiveRun]:
    """A socket, and a run whose end was announced; Redis lost it before anybody received it."""
    run, socket = stand.begin(session_id, "hello"), stand.socket()
    stand.membership.join(socket, address(session_id))
    run.say("a")
    stand.wait_for_text(socket, "a")
    wait_until(lambda: not stand.relay.sweeper._at_once, what="the sweep at the start")
    stand.finish(run, session_id, "a", announce=False)
    stand.db.write(lambda tx: mark_announced(tx, run.keys.run_id))
    redis_server.flush()
    return socket, run


def ends(stand: WebStand, socket: Connection, run: LiveRun) -> list[tuple[str, int]]:
    """Name and seq of what came of the run after its text."""
    came = [(name, p) for name, p in stand.emitter.to(socket.sid) if p.get("seq", 0) > run.head]
    return [(name, p["seq"]) for name, p in came if p["run_id"] == run.keys.run_id]


def test_an_end_that_redis_lost_after_it_was_announced_is_announced_again_once(
    make_stand: Callable[..., WebStand], redis_server: RedisServer
) -> None:
    stand = make_stand()
    socket, run = ended_and_lost(stand, redis_server)
    whole = [("usage.updated", run.head + 1), ("run.completed", run.head + 2)]
    stand.relay.sweeper.sweep()
    wait_until(lambda: ends(stand, socket, run) == whole, what="the end")
    redis_server.flush()
    stand.relay.sweeper.sweep()
    following = LiveRun(stand.log, address().keys("next"))
    following.say("b")
    wait_until(lambda: stand.emitter.text(socket.sid) == "ab", what="the next run")
    assert ends(stand, socket, run) == whole


def test_who_was_shown_an_end_that_redis_lost_is_not_sent_it_again(
    make_stand: Callable[..., WebStand], redis_server: RedisServer
) -> None:
    stand = make_stand()
    socket, run = ended_and_lost(stand, redis_server)
    by_resume, by_run = stand.socket(), stand.socket()
    stand.resume.resume(by_resume, ResumePayload(session_id="s"))
    stand.membership.join(by_run, address())
    stand.relay.sweeper.sweep()
    wait_until(lambda: len(ends(stand, socket, run)) == 2, what="the end")
    following = LiveRun(stand.log, address().keys("next"))
    following.say("b")
    for late, text in ((by_resume, "ab"), (by_run, "b")):
        stand.wait_for_text(late, text)
        assert ends(stand, late, run) == []


def test_a_resync_shows_an_end_that_redis_lost_and_nothing_follows_it(
    make_stand: Callable[..., WebStand], redis_server: RedisServer
) -> None:
    stand = make_stand()
    socket, run = ended_and_lost(stand, redis_server)
    feed = stand.relay.feeds.find(address().tag)
    assert feed is not None
    with stand.relay.hold(feed):
        feed.mark_for_resync([socket.sid])
    stand.relay._fill(feed)
    announce_again(stand.db, stand.log, [run.keys.run_id])
    stand.relay.sweeper.sweep()
    following = LiveRun(stand.log, address().keys("next"))
    following.say("b")
    wait_until(lambda: stand.emitter.seqs(socket.sid) == [1, 1], what="the next run")
    names = [name for name, _ in stand.emitter.to(socket.sid)]
    assert names == ["message.delta", "session.resync", "message.delta"]


def test_a_live_run_without_a_log_is_left_to_its_owner(
    make_stand: Callable[..., WebStand], redis_server: RedisServer
) -> None:
    stand = make_stand()
    live, socket = stand.begin("live", "hello"), stand.socket()
    stand.membership.join(socket, address("live"))
    live.say("a")
    stand.wait_for_text(socket, "a")
    other, ended = ended_and_lost(stand, redis_server)
    stand.relay.sweeper.sweep()
    wait_until(lambda: len(ends(stand, other, ended)) == 2, what="the other's end")
    assert stand.log.heads([live.keys]) == [None]
    assert [name for name, _ in stand.emitter.to(socket.sid)] == ["message.delta"]


def test_the_first_doorbell_that_is_heard_of_a_run_brings_its_beginning(
    make_stand: Callable[..., WebStand],
) -> None:
    stand = make_stand()
    sweeper = stand.relay.sweeper
    wait_until(lambda: not sweeper._at_once, what="the first sweep is over, the next is far")
    socket, run = begun_unnotified(stand)
    run.log = stand.log
    run.say("c")
    stand.wait_for_seqs(socket, 3)


def test_a_killed_subscription_is_filled_at_once(make_stand: Callable[..., WebStand]) -> None:
    stand = make_stand()
    socket, run = watching(stand)
    without_notification(stand, run, "b")
    stand.commands.client_kill_filter(_type="pubsub")
    stand.wait_for_seqs(socket, 2)
    run.say("c")
    stand.wait_for_seqs(socket, 3)


def test_a_connection_that_swallows_everything_is_given_up_and_filled(
    make_stand: Callable[..., WebStand],
    redis_server: RedisServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("web.relay.sweep.ECHO_EVERY", 0.3)
    monkeypatch.setattr("web.relay.subscriber.SILENT_AFTER", 2.0)
    proxy = TcpProxy(redis_server.port)
    stand = make_stand(subscriber_url=_through(redis_server.url, proxy))
    socket, run = watching(stand)
    before = stand.relay.subscriber.shards[0].reconnects
    proxy.swallow()
    run.say("b")
    stand.wait_for_seqs(socket, 2)
    assert stand.relay.subscriber.shards[0].reconnects == before + 1
    run.say("c")
    stand.wait_for_seqs(socket, 3)
    proxy.stop()


def _through(url: str, proxy: TcpProxy) -> str:
    parts = urlsplit(url)
    return url.replace(f":{parts.port}", f":{proxy.port}")


def test_a_subscriber_that_redis_cuts_off_comes_back_and_lacks_nothing(
    make_stand: Callable[..., WebStand],
) -> None:
    server = RedisServer(extra=f"client-output-buffer-limit pubsub {LIMIT} 0 0")
    try:
        stand = make_stand(server.url)
        socket, run = watching(stand)
        before = stand.relay.subscriber.shards[0].reconnects
        without_notification(stand, run, "b")
        flood(stand, run)
        wait_until(
            lambda: stand.relay.subscriber.shards[0].reconnects > before, what="it is cut off"
        )
        stand.wait_for_seqs(socket, 2)
        run.say("c")
        stand.wait_for_seqs(socket, 3)
        stop_all(stand.relay.services)
    finally:
        server.stop()


def flood(stand: WebStand, run: LiveRun) -> None:
    """More at once than the system takes from Redis for a reader; nothing that means anything."""
    together = stand.commands.pipeline(transaction=True)
    for _ in range(400):
        together.publish(stand.channel(run.keys), b"?" * LIMIT)
    together.execute()


def test_a_process_without_a_member_decodes_nothing(
    make_stand: Callable[..., WebStand], monkeypatch: pytest.MonkeyPatch
) -> None:
    busy, left, idle = make_stand(), make_stand(linger=60.0), make_stand()
    gone = left.socket()
    left.membership.join(gone, address())
    left.membership.leave(gone, address().tag)
    received_by: dict[WebStand, int] = {left: 0, idle: 0}
    for stand in received_by:
        monkeypatch.setattr(
            stand.relay.subscriber.shards[0], "_on_notification", _counted(stand, received_by)
        )
    decoded: list[bytes] = []

    def parse(data: bytes) -> object:
        decoded.append(data)
        return parse_notification(data)

    monkeypatch.setattr("web.relay.relay.parse_notification", parse)
    socket, run = watching(busy)
    for _ in range(9):
        run.say("b")
    busy.wait_for_seqs(socket, 10)
    notifications = 11  # of ten appends, and of the log's making
    wait_until(lambda: received_by[left] == notifications, what="the notifications are received")
    assert (len(decoded), received_by[idle]) == (notifications, 0)


def _counted(stand: WebStand, received_by: dict[WebStand, int]) -> Callable[[str, bytes], None]:
    def on_notification(tag: str, data: bytes) -> None:
        received_by[stand] += 1
        stand.relay._on_notification(tag, data)

    return on_notification
