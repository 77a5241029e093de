"""Coming back to a session: what `resumed` says and what follows are the whole, without seam."""

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import orjson
import pytest
from sqlalchemy import insert

from shared.db.database import Database
from shared.db.models import MessageRow, RunRow
from shared.db.runs import stop as stops
from shared.db.sessions.read import PAGE, Conversation
from shared.errors import DatabaseUnavailable, RedisUnavailable
from shared.protocol.state_events import StateEvents
from shared.protocol.transcript import Transcript
from tests.support.servers.processes import wait_until
from tests.support.web_stand import OWNER, LiveRun, WebStand, address
from web.payloads import ResumePayload
from web.relay.feed import Feed
from web.relay.feed_address import FeedAddress
from web.resume import live_first
from web.resume.live_first import LiveFirst
from web.sockets.connections import Connection


def resume(stand: WebStand, socket: Connection, **fields: Any) -> dict[str, Any]:
    """Resume, and give the `resumed` that the socket got for it."""
    before = len(stand.emitter.to(socket.sid))
    stand.resume.resume(socket, ResumePayload(**({"session_id": "s"} | fields)))
    new = stand.emitter.to(socket.sid)[before:]
    found = [payload for name, payload in new if name == "resumed"]
    assert len(found) == 1
    return found[0]


def test_a_join_at_any_moment_sees_the_whole_text(stand: WebStand) -> None:
    run = stand.begin("s")
    words: list[str] = []
    enough = threading.Event()

    def talk() -> None:
        while not enough.is_set():
            said = [f"{len(words) + i} " for i in range(3)]
            words.extend(said)
            run.say(*said)

    talker = threading.Thread(target=talk)
    talker.start()
    sockets = [stand.socket() for _ in range(30)]
    try:
        for socket in sockets:
            resume(stand, socket)
    finally:
        enough.set()
        talker.join()
    for socket in sockets:
        stand.wait_for_text(socket, "".join(words))


def test_of_those_that_come_at_once_a_session_with_a_live_run_goes_first(
    stand: WebStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_first, "AT_ONCE", 1)
    monkeypatch.setattr(live_first, "PATIENCE", 30.0)
    order, read, shown = stand.resume._live_first, stand.sessions.conversation, []

    def noting(wanted: FeedAddress, messages: int = PAGE) -> Conversation:
        shown.append(wanted.session_id)
        return read(wanted, messages)

    monkeypatch.setattr(stand.sessions, "conversation", noting)
    stand.begin("s")
    stand.accept("waits")
    coming = [
        threading.Thread(target=resume, args=(stand, stand.socket()), kwargs={"session_id": name})
        for name in ("waits", "s")
    ]
    with stand.resume.turn_of(address("some")):
        for number, thread in enumerate(coming, 1):
            thread.start()
            wait_until(partial(_waits, order, number), what="it waits")
        wait_until(lambda: order._live, what="it is known which session has a live run")
        assert shown == []
    for thread in coming:
        thread.join(10)
    assert shown == ["s", "waits"]


def _waits(order: LiveFirst, count: int) -> bool:
    return len(order._waiting) == count


def test_joins_of_two_runs_in_a_row_with_stored_ends_see_each_answer_once(stand: WebStand) -> None:
    sockets: list[Connection] = []
    stop = threading.Event()

    def join() -> None:
        while not stop.is_set() and len(sockets) < 80:
            socket = stand.socket()
            resume(stand, socket)
            sockets.append(socket)

    joiner = threading.Thread(target=join)
    joiner.start()
    for turn in range(3):
        run = stand.begin("s", f"question {turn}")
        for i in range(20):
            run.say(f"{turn}-{i} ")
        stand.finish(run, "s", "".join(f"{turn}-{i} " for i in range(20)))
    stop.set()
    joiner.join()
    last = "".join(f"2-{i} " for i in range(20))
    for socket in sockets:
        wait_until(_shows_last(stand, socket, last), what="the last answer")
        answers = _answers(stand, socket)
        assert answers == ["".join(f"{t}-{i} " for i in range(20)) for t in range(3)]


def _shows_last(stand: WebStand, socket: Connection, answer: str) -> Callable[[], bool]:
    return lambda: _answers(stand, socket)[-1:] == [answer]


def _answers(stand: WebStand, socket: Connection) -> list[str]:
    """All answers as a client shows them that knows nothing of seq: by run, in order."""
    shown: dict[str, str] = {}
    for name, payload in list(stand.emitter.to(socket.sid)):
        if name in {"resumed", "session.resync"}:
            shown = {}
            for message in payload["messages"]:
                if message["role"] == "assistant":
                    run_id = message.get("run_id") or message["id"].rpartition(":")[0]
                    shown[run_id] = shown.get(run_id, "") + message["content"]
        elif name == "message.delta":
            shown[payload["run_id"]] = shown.get(payload["run_id"], "") + payload["delta"]
    return list(shown.values())


def test_a_live_run_is_its_prompt_and_what_was_said_so_far(stand: WebStand) -> None:
    run = stand.begin("s", "what is two and two?")
    run.say("It is ", "four")
    resumed = resume(stand, stand.socket())
    assert [(m["role"], m["content"]) for m in resumed["messages"]] == [
        ("user", "what is two and two?"),
        ("assistant", "It is four"),
    ]
    assert resumed["messages"][1]["id"] == f"{run.keys.run_id}:1"
    assert (resumed["run_id"], resumed["epoch"], resumed["seq"]) == (run.keys.run_id, 1, 2)
    assert (resumed["isWorking"], resumed["status"], resumed["events"]) == (True, "running", [])
    assert (resumed["session_id"], resumed["total"], resumed["hasMore"]) == ("s", 2, False)


def test_an_ended_run_is_its_rows(stand: WebStand) -> None:
    run = stand.begin("s", "hello")
    run.say("hi")
    stand.finish(run, "s", "hi")
    resumed = resume(stand, stand.socket())
    assert [(m["role"], m["content"]) for m in resumed["messages"]] == [
        ("user", "hello"),
        ("assistant", "hi"),
    ]
    assert not resumed["isWorking"]
    assert "run_id" not in resumed
    assert (resumed["inputTokens"], resumed["outputTokens"]) == (3, 2)
    for message in resumed["messages"]:
        assert None not in message.values()
        assert isinstance(message["content"], str)
        assert isinstance(message["timestamp"], float)


def test_an_end_that_nobody_told_is_told_by_the_resume(stand: WebStand) -> None:
    watching = stand.socket()
    run = stand.begin("s")
    resume(stand, watching)
    run.say("hi")
    stand.finish(run, "s", "hi", announce=False)
    resumed = resume(stand, stand.socket())
    assert not resumed["isWorking"]
    wait_until(lambda: stand.emitter.to(watching.sid)[-1][0] == "run.completed", what="the end")
    assert stand.emitter.text(watching.sid) == "hi"


def test_rows_older_than_the_log_are_read_again(
    stand: WebStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = stand.begin("s")
    run.say("hi")
    old = Conversation()
    first_read(stand, old, monkeypatch)
    resumed = resume(stand, stand.socket())
    assert [m["role"] for m in resumed["messages"]] == ["user", "assistant"]


def test_rows_from_before_the_end_are_read_again(
    stand: WebStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = stand.begin("s")
    run.say("hi")
    old = stand.sessions.conversation(address())
    stand.finish(run, "s", "hi, stored")
    first_read(stand, old, monkeypatch)
    resumed = resume(stand, stand.socket())
    assert resumed["messages"][-1]["content"] == "hi, stored"
    assert not resumed["isWorking"]


@pytest.mark.parametrize("watched", [False, True])
def test_rows_from_before_a_run_that_has_ended_are_read_again(
    stand: WebStand, monkeypatch: pytest.MonkeyPatch, watched: bool
) -> None:
    other = stand.socket()
    if watched:
        resume(stand, other)
    old = stand.sessions.conversation(address())
    run = stand.begin("s")
    run.say("hi")
    stand.finish(run, "s", "hi")
    if watched:
        wait_until(lambda: stand.emitter.to(other.sid)[-1][0] == "run.completed", what="its end")
    first_read(stand, old, monkeypatch)
    resumed = resume(stand, stand.socket())
    assert [m["content"] for m in resumed["messages"]] == ["hi", "hi"]


def first_read(stand: WebStand, old: Conversation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the first reading of the rows be an old one."""
    fresh, readings = stand.sessions.announced_conversation, iter([old])
    monkeypatch.setattr(
        stand.sessions, "announced_conversation", lambda *a: next(readings, None) or fresh(*a)
    )


@pytest.mark.parametrize("after", range(6))
def test_a_cursor_is_exclusive(stand: WebStand, after: int) -> None:
    run = stand.begin("s")
    run.say("a", "b", "c", "d", "e")
    socket = stand.socket()
    resumed = resume(stand, socket, run_id=run.keys.run_id, epoch=1, after_seq=after)
    assert (resumed["messages"], resumed["replay"], resumed["isWorking"]) == ([], True, True)
    run.say("f")
    wait_until(lambda: 6 in stand.emitter.seqs(socket.sid), what="the live one")
    assert stand.emitter.seqs(socket.sid) == list(range(after + 1, 7))


@pytest.mark.parametrize(("after", "expected"), [(1, [0]), (99, [0, PAGE])])
def test_messages_are_read_only_if_the_cursor_cannot_be_continued(
    stand: WebStand, monkeypatch: pytest.MonkeyPatch, after: int, expected: list[int]
) -> None:
    run = stand.begin("s")
    run.say("a", "b")
    asked: list[int] = []
    read = stand.sessions.conversation

    def noting(where: FeedAddress, messages: int) -> Conversation:
        asked.append(messages)
        return read(where, messages)

    monkeypatch.setattr(stand.sessions, "conversation", noting)
    resumed = resume(stand, stand.socket(), run_id=run.keys.run_id, epoch=1, after_seq=after)
    assert asked == expected
    assert resumed["total"] == (1 if after == 1 else 2)  # the prompt; what is not stored is live


@pytest.mark.parametrize(
    "cursor", [{"epoch": 2, "after_seq": 1}, {"epoch": 1, "after_seq": 99}, {"epoch": 1}]
)
def test_a_cursor_that_does_not_fit_gets_everything(
    stand: WebStand, cursor: dict[str, int]
) -> None:
    run = stand.begin("s")
    run.say("a", "b")
    resumed = resume(stand, stand.socket(), run_id=run.keys.run_id, **cursor)
    assert "replay" not in resumed
    assert resumed["messages"][-1]["content"] == "ab"


def test_a_cursor_of_a_run_that_has_ended_gets_the_rest_and_the_end(stand: WebStand) -> None:
    run = stand.begin("s")
    run.say("a", "b")
    stand.finish(run, "s", "ab")
    socket = stand.socket()
    resumed = resume(stand, socket, run_id=run.keys.run_id, epoch=1, after_seq=1)
    assert (resumed["replay"], resumed["isWorking"]) == (True, False)
    names = [name for name, _ in stand.emitter.to(socket.sid)]
    assert names == ["resumed", "message.delta", "usage.updated", "run.completed"]


@pytest.mark.parametrize("second_ends", [False, True])
def test_a_cursor_of_a_run_before_the_last_one_gets_everything(
    stand: WebStand, second_ends: bool
) -> None:
    first = stand.begin("s")
    first.say("a", "b")
    stand.finish(first, "s", "ab")
    second = stand.begin("s")
    second.say("c", "d")
    if second_ends:
        stand.finish(second, "s", "cd")
    resumed = resume(stand, stand.socket(), run_id=first.keys.run_id, epoch=1, after_seq=1)
    assert "replay" not in resumed
    assert [m["content"] for m in resumed["messages"]] == ["hi", "ab", "hi", "cd"]
    assert resumed.get("run_id") == (None if second_ends else second.keys.run_id)


def test_a_checkpoint_stands_for_what_was_trimmed(stand: WebStand) -> None:
    run = stand.begin("s")
    run.say("a", "b")
    transcript = Transcript(run.keys.run_id, "s")
    transcript.apply({"event": "message.delta", "delta": "ab"})
    fold = {"transcript": transcript.to_state(), "state_events": StateEvents().to_state()}
    stand.log.checkpoint(run.keys, fence=run.fence, seq=2, fold=orjson.dumps(fold))
    run.say("c")
    socket = stand.socket()
    resumed = resume(stand, socket)
    assert resumed["messages"][-1]["content"] == "abc"
    old_cursor = resume(stand, socket, run_id=run.keys.run_id, epoch=1, after_seq=1)
    assert "replay" not in old_cursor
    new_cursor = resume(stand, socket, run_id=run.keys.run_id, epoch=1, after_seq=2)
    assert new_cursor["replay"]


def test_an_unknown_session_is_empty_and_joined(stand: WebStand) -> None:
    socket = stand.socket()
    resumed = resume(stand, socket, session_id="new")
    assert resumed["messages"] == []
    assert resumed["events"] == []
    assert resumed["queue"] == []
    assert not resumed["isWorking"]
    stand.begin("new").say("hello")
    stand.wait_for_text(socket, "hello")


def test_the_bell_is_heard_before_the_rows_are_read(
    stand: WebStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribed: list[int] = []
    read = stand.sessions.announced_conversation

    def counting(address: FeedAddress, messages: int) -> Conversation:
        subscribed.append(stand.relay.subscriber.channels())
        return read(address, messages)

    monkeypatch.setattr(stand.sessions, "announced_conversation", counting)
    resume(stand, stand.socket(), session_id="new")
    assert subscribed == [1]


def test_another_owner_sees_an_empty_session(stand: WebStand) -> None:
    run = stand.begin("s")
    run.say("secret")
    theirs = stand.socket("other")
    assert resume(stand, theirs)["messages"] == []
    assert resume(stand, theirs, session_id=None, run_id=run.keys.run_id)["messages"] == []
    run.say("more")
    mine = stand.socket()
    resume(stand, mine)
    stand.wait_for_text(mine, "secretmore")
    assert [name for name, _ in stand.emitter.to(theirs.sid)] == ["resumed", "resumed"]


def test_a_waiting_message_is_only_in_the_queue(stand: WebStand) -> None:
    run = stand.begin("s", "first")
    waiting = stand.accept("s", "second")
    resumed = resume(stand, stand.socket())
    assert [m["content"] for m in resumed["messages"] if m["role"] == "user"] == ["first"]
    assert [(q["run_id"], q["input"]) for q in resumed["queue"]] == [(waiting, "second")]
    assert resumed["run_id"] == run.keys.run_id


def test_a_run_without_session_is_resumed_by_its_owner_alone(stand: WebStand) -> None:
    claimed = stand.claim(stand.accept(None, "hello"))
    run = LiveRun(stand.log, claimed.keys, fence=claimed.fence)
    run.say("hi")
    resumed = resume(stand, stand.socket(), session_id=None, run_id=claimed.run_id)
    assert [m["content"] for m in resumed["messages"]] == ["hello", "hi"]
    assert resumed["isWorking"]
    theirs = resume(stand, stand.socket("other"), session_id=None, run_id=claimed.run_id)
    assert (theirs["messages"], theirs["isWorking"]) == ([], False)


def test_resuming_again_changes_nothing_for_others_and_repeats_nothing(stand: WebStand) -> None:
    run = stand.begin("s")
    first, second = stand.socket(), stand.socket()
    resume(stand, first)
    run.say("a")
    for _ in range(5):
        resume(stand, second)
    run.say("b")
    for socket in (first, second):
        stand.wait_for_text(socket, "ab")
    assert stand.emitter.seqs(first.sid) == [1, 2]


def test_many_messages_are_cut_to_the_newest_page(stand: WebStand) -> None:
    run = stand.begin("s", "first")
    stand.finish(run, "s", "answer")
    _add_messages(stand.db, run.keys.run_id, 600)
    resumed = resume(stand, stand.socket())
    assert (len(resumed["messages"]), resumed["total"], resumed["hasMore"]) == (500, 602, True)
    assert resumed["messages"][-1]["content"] == "tool 599"


def _add_messages(db: Database, run_id: str, count: int) -> None:
    rows = [
        {
            "owner": OWNER,
            "session_id": "s",
            "run_id": run_id,
            "turn_no": 1,
            "idx": 2 + i,
            "role": "tool",
            "content": f"tool {i}",
            "timestamp": 1.0,
            "token_count": 1,
        }
        for i in range(count)
    ]
    db.write(lambda tx: tx.execute(insert(MessageRow), rows))


def test_without_the_database_the_log_is_shown(
    stand: WebStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = stand.begin("s")
    run.say("so far")

    def away(*_: object) -> None:
        raise DatabaseUnavailable

    monkeypatch.setattr(stand.sessions, "conversation", away)
    socket = stand.socket()
    resumed = resume(stand, socket)
    assert (resumed["degraded"], resumed["isWorking"]) == (True, True)
    run.say(", and more")
    stand.wait_for_text(socket, "so far, and more")


def test_without_redis_the_rows_are_shown_and_the_rest_comes_later(
    stand: WebStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = stand.begin("s", "hello")
    run.say("a", "b")
    opened = stand.relay.feeds.open

    def away(_: object) -> None:
        raise RedisUnavailable

    monkeypatch.setattr(stand.relay.feeds, "open", away)
    socket = stand.socket()
    resumed = resume(stand, socket)
    assert (resumed["degraded"], resumed["isWorking"]) == (True, True)
    assert [m["content"] for m in resumed["messages"]] == ["hello"]
    opened(address())
    stand.relay.sweeper.sweep()
    stand.wait_for_text(socket, "ab")


def repaired(stand: WebStand, socket: Connection) -> bool:
    """Whether the socket was sent the session anew."""
    return any(name == "session.resync" for name, _ in stand.emitter.to(socket.sid))


@pytest.mark.parametrize("away", ["database", "redis"])
def test_a_degraded_answer_is_repaired_when_what_was_away_is_back(
    stand: WebStand, monkeypatch: pytest.MonkeyPatch, away: str
) -> None:
    run = stand.begin("s", "hello")
    run.say("answer")
    stand.finish(run, "s", "answer")

    def refuse(*_: object) -> None:
        raise RedisUnavailable if away == "redis" else DatabaseUnavailable

    with monkeypatch.context() as broken:
        if away == "redis":
            broken.setattr(stand.relay.feeds, "open", refuse)
        else:
            broken.setattr(stand.sessions, "conversation", refuse)
        socket = stand.socket()
        assert resume(stand, socket)["degraded"]
        if away == "database":
            stand.relay.sweeper.sweep()
            wait_until(lambda: not feed_of(stand).filling, what="it was tried")
            assert not repaired(stand, socket)
    stand.relay.sweeper.sweep()
    wait_until(lambda: repaired(stand, socket), what="the session is sent anew")
    assert stand.emitter.text(socket.sid) == "answer"
    assert not feed_of(stand).needs_resync


def test_who_comes_while_the_members_are_repaired_lacks_nothing_of_it(
    stand: WebStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = stand.begin("s", "hello")
    run.say("a")
    first, second = stand.socket(), stand.socket()
    resume(stand, first)
    feed_of(stand).needs_resync = True  # as after a degraded answer
    read = stand.sessions.announced_conversation
    times = iter(range(9))

    def read_and_go_on(of: FeedAddress, messages: int = PAGE) -> Conversation:
        if next(times) == 1:  # of the repair, between the logs of the second socket and its own
            run.say("b", "c")
        return read(of, messages)

    monkeypatch.setattr(stand.sessions, "announced_conversation", read_and_go_on)
    resume(stand, second)
    run.say("d")
    for socket in (first, second):
        stand.wait_for_text(socket, "abcd")


def feed_of(stand: WebStand) -> Feed:
    feed = stand.relay.feeds.find(address().tag)
    assert feed is not None
    return feed


def test_those_who_resume_at_once_share_what_is_read(
    make_stand: Callable[..., WebStand], monkeypatch: pytest.MonkeyPatch
) -> None:
    stand = make_stand(linger=60.0)  # a feed that is closed meanwhile is opened, and read, again
    run = stand.begin("s")
    run.say("so far")
    reads, read = [], stand.sessions.conversation
    sockets = [stand.socket() for _ in range(40)]
    others = threading.Event()

    def slowly(where: FeedAddress, messages: int) -> Conversation:
        reads.append(where)
        others.wait(10)
        return read(where, messages)

    monkeypatch.setattr(stand.sessions, "conversation", slowly)
    threads = [threading.Thread(target=resume, args=(stand, socket)) for socket in sockets]
    for thread in threads:
        thread.start()
    gathered = stand.resume._together._newest
    wait_until(
        lambda: any(len(group.items) == 39 for group in list(gathered.values())),
        what="the others wait for the next answer",
    )
    others.set()
    for thread in threads:
        thread.join(30)
    assert len(reads) == 2
    run.say(", and more")
    for socket in sockets:
        stand.wait_for_text(socket, "so far, and more")


def test_a_muted_socket_that_resumes_hears_again(stand: WebStand) -> None:
    run = stand.begin("s")
    socket = stand.socket()
    resume(stand, socket)
    stand.membership.mute(socket, address(), run.keys.run_id)
    run.say("a")
    resume(stand, socket)
    run.say("b")
    stand.wait_for_text(socket, "ab")


def test_a_backlog_beyond_what_a_socket_may_queue_comes_as_messages(stand: WebStand) -> None:
    stand.resume._burst = 3
    run = stand.begin("s")
    run.say("a", "b", "c", "d", "e")
    resumed = resume(stand, stand.socket(), run_id=run.keys.run_id, epoch=1, after_seq=0)
    assert "replay" not in resumed
    assert resumed["messages"][-1]["content"] == "abcde"


def test_a_stopping_run_says_so(stand: WebStand) -> None:
    run = stand.begin("s")
    stand.db.write(lambda s: stops.ask_stop(s, OWNER, "s", None))
    assert stand.db.read(lambda s: s.get_one(RunRow, run.keys.run_id)).state == "stopping"
    assert resume(stand, stand.socket())["status"] == "stopping"


def test_what_the_session_will_not_have_is_said_with_and_without_messages(stand: WebStand) -> None:
    def notices(profile: str) -> list[dict[str, Any]]:
        return [{"code": "no_transcript", "about": profile}]

    run = stand.begin("s")
    run.say("one ", "two ")
    socket = stand.socket()
    before = resume(stand, socket)
    assert "notices" not in before
    stand.resume._notices = notices
    shown = resume(stand, socket)
    told = [{"code": "no_transcript", "about": "default"}]
    assert shown["notices"] == told
    cursor = {"run_id": run.keys.run_id, "epoch": shown["epoch"], "after_seq": shown["seq"]}
    replayed = resume(stand, socket, **cursor)
    assert (replayed["replay"], replayed["notices"]) == (True, told)
    assert "notices" not in resume(stand, socket, session_id="without-runs")
