"""Compares what members were given with the heads of the logs (R27)."""

from collections.abc import Sequence

from shared.errors import RedisUnavailable
from shared.event_log.shards import shard_of
from shared.event_log.store import EventLog
from web.relay.feed import Feed


def note_behind(logs: Sequence[EventLog], feeds: Sequence[Feed]) -> None:
    """Fill `feed.behind`, in two round trips for each of the log's servers.

    Raises RedisAway for one that is away, after the others were asked.
    """
    away: RedisUnavailable | None = None
    for number, part in enumerate(logs):
        some = [feed for feed in feeds if shard_of(feed.tag, len(logs)) == number]
        try:
            _compare(part, some)
        except RedisUnavailable as error:
            away = error
    if away is not None:
        raise away


def _compare(part: EventLog, feeds: Sequence[Feed]) -> None:
    pairs = [
        (feed, run_id)
        for feed, known in zip(feeds, part.known([feed.tag for feed in feeds]), strict=True)
        for run_id in {*known.live, *feed.unended(), *feed.unseen_ends(known.ended)}
    ]
    heads = part.heads([feed.address.keys(run_id) for feed, run_id in pairs])
    for (feed, run_id), head in zip(pairs, heads, strict=True):
        cursor = feed.cursors.get(run_id)
        given = (cursor.epoch, cursor.seq) if cursor is not None else (0, 0)
        if head is not None and head != given and not (cursor and cursor.ended):
            feed.behind.add(run_id)
