"""Compares what members were given with the heads of the logs (R27)."""

from collections.abc import Sequence

from shared.errors import RedisUnavailable
from shared.event_log.shards import shard_of
from shared.event_log.store import EventLog
from web.relay.feed import Feed


def note_behind(logs: Sequence[EventLog], feeds: Sequence[Feed], without_log: list[str]) -> None:
    """Fill `feed.behind`, and `without_log` with the ids of the runs that members watch, that have
    not ended for them, and of which there is no log; in two round trips for each of the servers.

    Raises RedisUnavailable for a server that does not answer, after the others were asked.
    """
    failed: RedisUnavailable | None = None
    for number, event_log in enumerate(logs):
        there = [feed for feed in feeds if shard_of(feed.tag, len(logs)) == number]
        try:
            _compare(event_log, there, without_log)
        except RedisUnavailable as error:
            failed = error
    if failed is not None:
        raise failed


def _compare(event_log: EventLog, feeds: Sequence[Feed], without_log: list[str]) -> None:
    pairs = [
        (feed, run_id)
        for feed, known in zip(feeds, event_log.known([feed.tag for feed in feeds]), strict=True)
        for run_id in {*known.live, *feed.unended(), *feed.unseen_ends(known.ended)}
    ]
    heads = event_log.heads([feed.address.keys(run_id) for feed, run_id in pairs])
    for (feed, run_id), head in zip(pairs, heads, strict=True):
        cursor = feed.cursors.get(run_id)
        if cursor is not None and cursor.ended:
            continue
        delivered = (cursor.epoch, cursor.seq) if cursor is not None else (0, 0)
        if head is not None and head != delivered:
            feed.behind.add(run_id)
        elif head is None and cursor is not None:
            without_log.append(run_id)
