"""The log's scripts on each kind of Redis-protocol server (R14-R17, R20, R29)."""

import uuid
from collections.abc import Iterator
from datetime import timedelta

import pytest
from redis.client import PubSub

from shared.errors import RedisUnavailable
from shared.event_log.clients import Commands, command_client
from shared.event_log.keys import RunKeys, feed_tag
from shared.event_log.store import Append, Batch, EventLog, KnownRuns, Status
from shared.protocol.events import LogAppended, encode, parse_notification
from tests.support.servers.redis_server import RedisServer

TTL = timedelta(seconds=600)


@pytest.fixture
def redis(each_redis_server: RedisServer) -> Iterator[Commands]:
    client = command_client(each_redis_server.url)
    yield client
    client.connection_pool.disconnect()


@pytest.fixture
def event_log(redis: Commands) -> EventLog:
    return EventLog([redis], TTL, "hf")


@pytest.fixture
def keys() -> RunKeys:
    run_id = f"run_{uuid.uuid4().hex}"
    return RunKeys(feed_tag("owner", uuid.uuid4().hex, run_id), run_id)


def entries(first: int, count: int, stem: str = "t") -> tuple[bytes, ...]:
    numbers = range(first, first + count)
    return tuple(encode("message.delta", {"delta": f"{stem}{n}", "seq": n}) for n in numbers)


def installed(event_log: EventLog, keys: RunKeys, fence: int = 1) -> None:
    answer = event_log.install(keys, fence=fence, epoch=1, min_head=0, create=True)
    assert (answer.status, answer.head) == (Status.OK, 0)


def append(event_log: EventLog, batch: Batch) -> Append:
    return event_log.append([batch])[0]


def stored(event_log: EventLog, keys: RunKeys) -> list[bytes]:
    view = event_log.read([(keys, 0)])[0]
    assert view is not None
    return view.entries


def test_a_batch_gets_the_seqs_after_the_head(event_log: EventLog, keys: RunKeys) -> None:
    installed(event_log, keys)
    assert append(event_log, Batch(keys, 1, 0, entries(1, 2))) == Append(Status.OK, 2)
    assert append(event_log, Batch(keys, 1, 2, entries(3, 1))) == Append(Status.OK, 3)
    view = event_log.read([(keys, 1)])[0]
    assert view is not None
    assert (view.first, view.head, view.entries) == (2, 3, [*entries(2, 2)])


def test_nothing_is_appended_to_a_log_that_nobody_installed(
    event_log: EventLog, keys: RunKeys
) -> None:
    assert append(event_log, Batch(keys, 1, 0, entries(1, 1))).status is Status.NOLOG
    assert event_log.read([(keys, 0)]) == [None]


def test_an_older_owner_is_fenced_off_by_the_next_install(
    event_log: EventLog, keys: RunKeys
) -> None:
    installed(event_log, keys, fence=1)
    append(event_log, Batch(keys, 1, 0, entries(1, 1)))
    taken = event_log.install(keys, fence=2, epoch=1, min_head=1, create=False)
    assert (taken.status, taken.head) == (Status.OK, 1)
    assert append(event_log, Batch(keys, 1, 1, entries(2, 1))).status is Status.FENCED
    assert stored(event_log, keys) == [*entries(1, 1)]


def test_an_older_fence_cannot_install(event_log: EventLog, keys: RunKeys) -> None:
    installed(event_log, keys, fence=3)
    answer = event_log.install(keys, fence=2, epoch=1, min_head=0, create=True)
    assert answer.status is Status.FENCED


def test_a_batch_that_is_sent_again_is_not_doubled(event_log: EventLog, keys: RunKeys) -> None:
    installed(event_log, keys)
    batch = Batch(keys, 1, 0, entries(1, 3))
    assert append(event_log, batch) == append(event_log, batch) == Append(Status.OK, 3)
    assert stored(event_log, keys) == [*entries(1, 3)]


def test_a_batch_that_has_grown_since_it_was_sent_is_refused(
    event_log: EventLog, keys: RunKeys
) -> None:
    installed(event_log, keys)
    append(event_log, Batch(keys, 1, 0, entries(1, 2)))
    grown = append(event_log, Batch(keys, 1, 0, entries(1, 3)))
    other = append(event_log, Batch(keys, 1, 0, entries(1, 2, stem="x")))
    assert [grown.status, other.status] == [Status.MISMATCH, Status.MISMATCH]
    assert stored(event_log, keys) == [*entries(1, 2)]


def test_equal_bytes_of_another_fence_are_not_taken_for_a_repeat(
    event_log: EventLog, keys: RunKeys
) -> None:
    installed(event_log, keys, fence=1)
    append(event_log, Batch(keys, 1, 0, entries(1, 1)))
    event_log.install(keys, fence=2, epoch=1, min_head=1, create=False)
    assert append(event_log, Batch(keys, 2, 0, entries(1, 1))).status is Status.MISMATCH


def test_a_batch_beyond_the_head_is_refused(event_log: EventLog, keys: RunKeys) -> None:
    installed(event_log, keys)
    assert append(event_log, Batch(keys, 1, 5, entries(6, 1))) == Append(Status.MISMATCH, 0)


def test_a_log_behind_what_was_seen_is_gone_and_made_anew_from_memory(
    event_log: EventLog, keys: RunKeys
) -> None:
    installed(event_log, keys)
    append(event_log, Batch(keys, 1, 0, entries(1, 2)))
    assert event_log.install(keys, fence=1, epoch=1, min_head=5, create=False).status is Status.GONE
    again = event_log.install(
        keys, fence=1, epoch=1, min_head=5, create=True, base=2, checkpoint=b"{}",
        entries=entries(3, 3),
    )  # fmt: skip
    assert (again.status, again.head) == (Status.OK, 5)
    view = event_log.read([(keys, 0)])[0]
    assert view is not None
    assert (view.base, view.checkpoint, view.first) == (2, b"{}", 3)


def test_a_new_epoch_forgets_the_old_entries(event_log: EventLog, keys: RunKeys) -> None:
    installed(event_log, keys)
    append(event_log, Batch(keys, 1, 0, entries(1, 2)))
    answer = event_log.install(keys, fence=2, epoch=2, min_head=0, create=True)
    assert (answer.status, answer.head) == (Status.OK, 0)
    view = event_log.read([(keys, 0)])[0]
    assert view is not None
    assert (view.epoch, view.entries) == (2, [])


def test_a_flush_cannot_disarm_the_fence(
    redis: Commands, event_log: EventLog, keys: RunKeys
) -> None:
    installed(event_log, keys)
    redis.delete(keys.meta, keys.log)
    assert append(event_log, Batch(keys, 1, 0, entries(1, 1))).status is Status.NOLOG


def test_the_scripts_are_loaded_again_after_the_server_forgot_them(
    redis: Commands, event_log: EventLog, keys: RunKeys
) -> None:
    installed(event_log, keys)
    append(event_log, Batch(keys, 1, 0, entries(1, 1)))
    redis.script_flush()
    batches = [Batch(keys, 1, 1, entries(2, 1)), Batch(keys, 1, 2, entries(3, 1))]
    assert [answer.status for answer in event_log.append(batches)] == [Status.OK, Status.OK]
    assert stored(event_log, keys) == [*entries(1, 3)]


def test_the_end_is_written_once_and_closes_the_log(event_log: EventLog, keys: RunKeys) -> None:
    installed(event_log, keys)
    append(event_log, Batch(keys, 1, 0, entries(1, 2)))
    for _ in range(2):
        event_log.announce(keys, fence=1, epoch=1, terminal_seq=4, entries=entries(3, 2))
    view = event_log.read([(keys, 0)])[0]
    assert view is not None
    assert (view.ended, view.head, view.entries) == (True, 4, [*entries(1, 4)])
    assert append(event_log, Batch(keys, 1, 4, entries(5, 1))).status is Status.ENDED
    assert event_log.install(keys, fence=9, epoch=1, min_head=0, create=True).status is Status.ENDED
    assert event_log.known([keys.tag]) == [KnownRuns(live=[], ended=[keys.run_id])]


def test_an_end_without_a_log_makes_one(event_log: EventLog, keys: RunKeys) -> None:
    event_log.announce(keys, fence=1, epoch=1, terminal_seq=7, entries=entries(6, 2))
    view = event_log.read([(keys, 0)])[0]
    assert view is not None
    assert (view.base, view.first, view.head, view.ended) == (5, 6, 7, True)


def test_a_checkpoint_stands_for_the_entries_before_it(event_log: EventLog, keys: RunKeys) -> None:
    installed(event_log, keys)
    append(event_log, Batch(keys, 1, 0, entries(1, 5)))
    event_log.checkpoint(keys, fence=1, seq=3, fold=b'{"transcript":1}')
    view = event_log.read([(keys, 0)])[0]
    assert view is not None
    assert (view.base, view.checkpoint, view.first) == (3, b'{"transcript":1}', 4)
    assert view.entries == [*entries(4, 2)]
    assert append(event_log, Batch(keys, 1, 5, entries(6, 1))).status is Status.OK


def test_a_fenced_owner_cannot_shorten_the_log(event_log: EventLog, keys: RunKeys) -> None:
    installed(event_log, keys, fence=2)
    append(event_log, Batch(keys, 2, 0, entries(1, 2)))
    event_log.checkpoint(keys, fence=1, seq=2, fold=b"{}")
    assert stored(event_log, keys) == [*entries(1, 2)]


def test_the_notification_has_the_bytes_of_the_log(
    redis: Commands, event_log: EventLog, keys: RunKeys
) -> None:
    installed(event_log, keys)
    with PubSub(redis.connection_pool) as pubsub:
        pubsub.subscribe(event_log.channels[0].session(keys.tag))
        assert pubsub.get_message(timeout=5)["type"] == "subscribe"
        append(event_log, Batch(keys, 1, 0, entries(1, 2)))
        event_log.announce(keys, fence=1, epoch=1, terminal_seq=4, entries=entries(3, 2))
        first, last = (parse_notification(pubsub.get_message(timeout=5)["data"]) for _ in range(2))
    assert first == LogAppended(keys.run_id, 1, 1, 1, False, [*entries(1, 2)])
    assert last == LogAppended(keys.run_id, 1, 1, 3, True, [*entries(3, 2)])


def test_no_key_is_left_without_a_life(redis: Commands, event_log: EventLog, keys: RunKeys) -> None:
    installed(event_log, keys)
    append(event_log, Batch(keys, 1, 0, entries(1, 3)))
    event_log.checkpoint(keys, fence=1, seq=2, fold=b"{}")
    found = list(redis.scan_iter(match=f"hf:{{{keys.tag}}}*"))
    assert len(found) == 4
    assert all(0 < redis.ttl(key) <= TTL.total_seconds() for key in found)
    event_log.announce(keys, fence=1, epoch=1, terminal_seq=5, entries=entries(4, 2))
    found = list(redis.scan_iter(match=f"hf:{{{keys.tag}}}*"))
    assert all(0 < redis.ttl(key) <= TTL.total_seconds() for key in found)


def test_heads_and_live_runs_are_read_in_one_round_trip(event_log: EventLog, keys: RunKeys) -> None:
    installed(event_log, keys)
    append(event_log, Batch(keys, 1, 0, entries(1, 2)))
    unknown = RunKeys(keys.tag, "run_unknown")
    assert event_log.heads([keys, unknown]) == [(1, 2), None]
    assert event_log.known([keys.tag, "0" * 32]) == [
        KnownRuns([keys.run_id], []),
        KnownRuns([], []),
    ]


def test_an_end_is_known_for_a_minute(redis: Commands, event_log: EventLog, keys: RunKeys) -> None:
    now, _ = redis.time()
    redis.hset(keys.live, mapping={"run_old": f"ended:{now - 100}", "run_new": f"ended:{now - 10}"})
    assert event_log.known([keys.tag]) == [KnownRuns(live=[], ended=["run_new"])]
    event_log.announce(keys, fence=1, epoch=1, terminal_seq=2, entries=entries(1, 2))
    assert event_log.known([keys.tag]) == [KnownRuns(live=[], ended=["run_new", keys.run_id])]
    assert redis.hkeys(keys.live) == [b"run_new", keys.run_id.encode()]


def test_a_server_that_does_not_answer_raises_redis_unavailable(keys: RunKeys) -> None:
    server = RedisServer()
    event_log = EventLog([command_client(server.url, timeout=1)], TTL, "hf")
    server.stop()
    with pytest.raises(RedisUnavailable):
        append(event_log, Batch(keys, 1, 0, entries(1, 1)))
