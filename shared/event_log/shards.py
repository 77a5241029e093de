"""Which of several Redis servers holds a session's logs. Pure."""

_MASK = (1 << 64) - 1


def shard_of(tag: str, shards: int) -> int:
    """Return 0 … shards - 1 for the hex tag of a session (`keys.feed_tag`).

    Jump consistent hashing (Lamping and Veach, 2014): a server that is added at the end of the list
    takes its even share of the sessions from the others, and no session moves between those.
    """
    if shards == 1:
        return 0
    key = int(tag[:16], 16)
    chosen, following = -1, 0
    while following < shards:
        chosen = following
        key = (key * 2862933555777941757 + 1) & _MASK
        following = int((chosen + 1) * ((1 << 31) / ((key >> 33) + 1)))
    return chosen
