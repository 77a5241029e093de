"""Which server holds a session's logs (docs/adr/0013)."""

import hashlib

from shared.event_log.shards import shard_of

TAGS = [hashlib.sha256(str(n).encode()).hexdigest()[:32] for n in range(4000)]


def test_one_server_has_everything() -> None:
    assert {shard_of(tag, 1) for tag in TAGS} == {0}


def test_sessions_are_spread_evenly() -> None:
    counts = [sum(shard_of(tag, 4) == shard for tag in TAGS) for shard in range(4)]
    assert min(counts) > 850
    assert max(counts) < 1150


def test_a_server_at_the_end_takes_its_share_and_moves_nothing_else() -> None:
    moved = [(shard_of(tag, 3), shard_of(tag, 4)) for tag in TAGS]
    changed = [new for old, new in moved if new != old]
    assert set(changed) == {3}
    assert 850 < len(changed) < 1150
