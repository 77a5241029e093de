"""The relay on a real Redis: each event once and in order, whatever is lost on the way."""

import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from shared.db.migrate import upgrade
from shared.errors import RedisUnavailable
from shared.event_log.store import Batch
from shared.protocol.events import session_notification
from tests.support.servers.processes import wait_until
from tests.support.servers.redis_server import RedisServer
from tests.support.web_stand import LiveRun, WebStand, address, without_notification
from web.sockets.connections import Connection


def test_members_get_each_delta_once_and_in_order(stand: WebStand) -> None:
    first, second = stand.socket(), stand.socket()
    stand.membership.join(first, address())
    stand.membership.join(second, address())
    run = LiveRun(stand.log, address().keys("r"))
    for i in range(50):
        run.say(f"{i} ")
    for socket in (first, second):
        stand.wait_for_seqs(socket, 50)


def test_a_lost_doorbell_is_noticed_by_the_next_one(stand: WebStand) -> None:
    socket = stand.socket()
    stand.membership.join(socket, address())
    run = LiveRun(stand.log, address().keys("r"))
    run.say("a")
    without_notification(stand, run, "b", "c")
    run.say("d")
    stand.wait_for_seqs(socket, 4)
    assert stand.relay.refills == 1


def test_a_lost_first_doorbell_is_filled_from_the_beginning(stand: WebStand) -> None:
    socket = stand.socket()
    stand.membership.join(socket, address())
    run = LiveRun(stand.log, address().keys("r"))
    without_notification(stand, run, "a", "b")
    run.say("c")
    stand.wait_for_seqs(socket, 3)


def test_a_lost_last_doorbell_is_found_by_the_sweep(stand: WebStand) -> None:
    socket = stand.socket()
    stand.membership.join(socket, address())
    run = LiveRun(stand.log, address().keys("r"))
    run.say("a")
    without_notification(stand, run, "b", "c")
    stand.wait_for_seqs(socket, 1)
    stand.relay.sweeper.sweep()
    stand.wait_for_seqs(socket, 3)


def test_the_sweep_finds_a_run_of_which_nothing_was_heard(stand: WebStand) -> None:
    socket = stand.socket()
    stand.membership.join(socket, address())
    run = LiveRun(stand.log, address().keys("r"))
    without_notification(stand, run, "a", "b")
    stand.relay.sweeper.sweep()
    stand.wait_for_seqs(socket, 2)


def test_a_killed_subscriber_comes_back_and_lacks_nothing(stand: WebStand) -> None:
    socket = stand.socket()
    stand.membership.join(socket, address())
    run = LiveRun(stand.log, address().keys("r"))
    run.say("a")
    stand.wait_for_seqs(socket, 1)
    before = stand.relay.subscriber.shards[0].reconnects
    for i in range(5):
        stand.commands.client_kill_filter(_type="pubsub")
        run.say(f"{i}")
    wait_until(lambda: stand.relay.subscriber.shards[0].reconnects > before, what="a reconnect")
    stand.wait_for_seqs(socket, 6)
    run.say("z")
    stand.wait_for_seqs(socket, 7)


def test_a_fenced_owner_is_not_heard(stand: WebStand) -> None:
    socket = stand.socket()
    stand.membership.join(socket, address())
    old = LiveRun(stand.log, address().keys("r"), fence=1)
    old.say("a")
    new = LiveRun(stand.log, address().keys("r"), fence=2)
    new.head = 1
    new.say("b")
    late = old._entry("message.delta", 3, delta="LATE")
    stand.commands.publish(stand.channel(old.keys), b"E r 1 1 3 0\n" + late)
    new.say("c")
    stand.wait_for_text(socket, "abc")


def test_a_new_epoch_is_told_as_a_resync(stand: WebStand) -> None:
    socket = stand.socket()
    run = stand.begin("s")
    stand.membership.join(socket, address())
    run.say("old")
    stand.wait_for_text(socket, "old")
    again = LiveRun(stand.log, run.keys, fence=run.fence, epoch=2)
    again.say("new")
    wait_until(
        lambda: "session.resync" in [name for name, _ in stand.emitter.to(socket.sid)],
        what="a resync",
    )
    again.say(" text")
    stand.wait_for_text(socket, "new text")


def test_a_log_trimmed_beyond_the_cursor_is_told_as_a_resync(stand: WebStand) -> None:
    socket = stand.socket()
    run = stand.begin("s")
    stand.membership.join(socket, address())
    run.say("a")
    stand.wait_for_text(socket, "a")
    without_notification(stand, run, "b", "c")
    stand.commands.xtrim(run.keys.log, minid="3-0", approximate=False)
    stand.commands.hset(run.keys.meta, "base", 2)
    run.say("d")
    wait_until(
        lambda: "session.resync" in [name for name, _ in stand.emitter.to(socket.sid)],
        what="a resync",
    )


def test_the_end_is_told_once_however_often_it_is_announced(stand: WebStand) -> None:
    socket = stand.socket()
    stand.membership.join(socket, address())
    run = LiveRun(stand.log, address().keys("r"))
    run.say("a")
    run.end()
    run.end(terminal_seq=3)
    stand.relay.sweeper.sweep()
    other = LiveRun(stand.log, address().keys("r2"))
    other.say("b")
    wait_until(lambda: stand.emitter.to(socket.sid)[-1][1].get("run_id") == "r2", what="r2")
    names = [name for name, _ in stand.emitter.to(socket.sid)]
    assert names == ["message.delta", "usage.updated", "run.completed", "message.delta"]


def test_a_lost_end_is_found_by_the_sweep(stand: WebStand) -> None:
    socket = stand.socket()
    stand.membership.join(socket, address())
    run = LiveRun(stand.log, address().keys("r"))
    run.say("a")
    stand.wait_for_seqs(socket, 1)
    stand.relay.subscriber.remove(address().tag)
    wait_until(
        lambda: stand.commands.pubsub_numsub(stand.channel(run.keys))[0][1] == 0,
        what="nobody listens",
    )
    run.end()
    stand.relay.sweeper.sweep()
    wait_until(
        lambda: [n for n, _ in stand.emitter.to(socket.sid)][-1] == "run.completed", what="the end"
    )


def test_two_turns_reach_a_second_tab_that_stays_open(stand: WebStand) -> None:
    sweeper = stand.relay.sweeper
    wait_until(lambda: sweeper._swept_at and not sweeper._at_once, what="the first sweep is over")
    first, second = stand.socket(), stand.socket()
    for socket in (first, second):
        stand.membership.join(socket, address())
    for name in ("r1", "r2"):
        run = LiveRun(stand.log, address().keys(name))
        run.say("a", "b")
        run.end()
    for socket in (first, second):
        wait_until(partial(_has_heard, stand, socket, 8), what="both turns")
        told = [(p["run_id"], p["seq"]) for _, p in stand.emitter.to(socket.sid)]
        assert told == [(name, seq) for name in ("r1", "r2") for seq in (1, 2, 3, 4)]


def test_a_late_doorbell_of_an_ended_run_tells_a_new_member_nothing(stand: WebStand) -> None:
    run = stand.begin("s")
    run.say("a")
    stand.finish(run, "s", "a")
    socket = stand.socket()
    stand.membership.join(socket, address())
    late = run._entry("message.delta", 1, delta="a")
    header = f"E {run.keys.run_id} 1 {run.fence} 1 0\n".encode()
    stand.commands.publish(stand.channel(run.keys), header + late)
    stand.log.notify(address().tag, session_notification("queue.updated", {"queue": []}))
    wait_until(lambda: stand.emitter.to(socket.sid), what="the notice")
    assert [name for name, _ in stand.emitter.to(socket.sid)] == ["queue.updated"]


def test_a_muted_socket_hears_nothing_more_of_that_run(stand: WebStand) -> None:
    muted, other = stand.socket(), stand.socket()
    for socket in (muted, other):
        stand.membership.join(socket, address())
    run = LiveRun(stand.log, address().keys("r1"))
    run.say("a")
    stand.wait_for_seqs(muted, 1)
    stand.membership.mute(muted, address(), "r1")
    run.say("b")
    run.end()
    LiveRun(stand.log, address().keys("r2")).say("c")
    wait_until(lambda: len(stand.emitter.to(other.sid)) == 5, what="everything")
    wait_until(lambda: len(stand.emitter.to(muted.sid)) == 2, what="the next run")
    assert [p["run_id"] for _, p in stand.emitter.to(muted.sid)] == ["r1", "r2"]


def test_another_owner_with_the_same_session_id_hears_nothing(stand: WebStand) -> None:
    mine, theirs = stand.socket(), stand.socket("other")
    stand.membership.join(mine, address())
    stand.membership.join(theirs, address(owner="other"))
    run = LiveRun(stand.log, address().keys("r"))
    run.say("a")
    stand.wait_for_seqs(mine, 1)
    LiveRun(stand.log, address(owner="other").keys("r9")).say("b")
    wait_until(lambda: stand.emitter.to(theirs.sid), what="their own")
    assert [p["run_id"] for _, p in stand.emitter.to(theirs.sid)] == ["r9"]


def test_a_thousand_sessions_come_and_go_and_leave_nothing(stand: WebStand) -> None:
    threads = threading.active_count()
    for batch in range(10):
        sockets = [stand.socket() for _ in range(100)]
        for i, socket in enumerate(sockets):
            stand.membership.join(socket, address(f"s{batch}-{i}"))
        for socket in sockets:
            for tag in list(socket.feeds):
                stand.membership.leave(socket, tag)
    wait_until(lambda: len(stand.relay.feeds) == 0, what="no feed")
    wait_until(lambda: stand.relay.subscriber.channels() == 0, what="no channel")
    channels: list[Any] = stand.commands.pubsub_channels()
    bells = [c for c in channels if bytes(c).endswith(b":bell")]
    assert bells == []
    wait_until(lambda: threading.active_count() <= threads, what="no thread")


def test_a_quick_return_keeps_the_subscription(stand: WebStand) -> None:
    first, second = stand.socket(), stand.socket()
    stand.membership.join(first, address())
    stand.membership.leave(first, address().tag)
    stand.membership.join(second, address())
    run = LiveRun(stand.log, address().keys("r"))
    run.say("a")
    stand.wait_for_seqs(second, 1)
    assert stand.emitter.to(first.sid) == []


def test_joining_again_and_again_while_the_feed_is_given_up_loses_nothing(
    stand: WebStand,
) -> None:
    stand.relay.feeds._linger = 0.0
    for i in range(30):
        socket = stand.socket()
        stand.membership.join(socket, address())
        run = LiveRun(stand.log, address().keys(f"r{i}"))
        run.say("a", "b")
        stand.wait_for_seqs(socket, 2)
        stand.membership.leave(socket, address().tag)


def test_a_socket_that_left_before_it_was_admitted_is_in_no_room(stand: WebStand) -> None:
    socket = stand.socket()
    socket.closed = True
    stand.membership.join(socket, address())
    feed = stand.relay.feeds.find(address().tag)
    assert feed is None or feed.members == set()


def test_a_deaf_relay_says_so(stand: WebStand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.relay.subscriber.SILENT_AFTER", 0.0)
    assert not stand.relay.subscriber.receives()


def test_a_restarted_redis_is_subscribed_again(tmp_path: Path) -> None:
    server = RedisServer()
    url = f"sqlite:///{tmp_path / 'test.db'}"
    upgrade(url)
    stand = WebStand(server.url, url)
    try:
        socket = stand.socket()
        stand.membership.join(socket, address())
        run = LiveRun(stand.log, address().keys("r"))
        run.say("a")
        stand.wait_for_seqs(socket, 1)
        server.restart()
        wait_until(lambda: _appends(stand, run), what="an append")
        stand.wait_for_seqs(socket, 2)
    finally:
        stand.stop()
        server.stop()


def _has_heard(stand: WebStand, socket: Connection, count: int) -> bool:
    return len(stand.emitter.to(socket.sid)) == count


def _appends(stand: WebStand, run: LiveRun) -> bool:
    entry = run._entry("message.delta", run.head + 1, delta="b")
    try:
        stand.log.append([Batch(run.keys, run.fence, run.head, (entry,))])
    except RedisUnavailable:
        return False
    run.head += 1
    return True


def test_a_resync_that_fails_is_made_up_for_by_the_sweep(
    stand: WebStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    socket = stand.socket()
    run = stand.begin("s")
    stand.membership.join(socket, address())
    run.say("old")
    stand.wait_for_text(socket, "old")
    working = stand.relay._resync

    def failing(_: object) -> None:
        raise RedisUnavailable

    monkeypatch.setattr(stand.relay, "_resync", failing)
    again = LiveRun(stand.log, run.keys, fence=run.fence, epoch=2)
    again.say("new")
    feed = stand.relay.feeds.find(address().tag)
    assert feed is not None
    wait_until(lambda: feed.needs_resync and not feed.filling, what="the failed resync")
    again.say("er")  # nobody may hear it behind "old"
    stand.log.notify(feed.tag, session_notification("run.queued", {"session_id": "s"}))
    wait_until(
        lambda: stand.emitter.to(socket.sid)[-1][0] == "run.queued", what="what comes after it"
    )
    assert stand.emitter.text(socket.sid) == "old"
    monkeypatch.setattr(stand.relay, "_resync", working)
    stand.relay.sweeper.sweep()
    wait_until(lambda: not feed.needs_resync, what="the resync")
    stand.wait_for_text(socket, "newer")
