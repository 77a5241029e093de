"""Every Redis key and channel, with its content and its TTL. Pure.

All keys of a session have one hash tag, so they are on one server. The formats are part of a
rolling upgrade: processes of two versions share them.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

PREFIX: Final = "hf"

#: String: which process did the last tick of the reaper. TTL: two intervals; without it neither
#: beat nor a standby ticks.
LAST_TICK: Final = f"{PREFIX}:last-tick"

#: String: written, with a short TTL, to see whether Redis takes writes before a run is accepted.
WRITABLE: Final = f"{PREFIX}:writable"

#: Set: the profiles whose gateways give no transcript, as workers have found out. No TTL.
WITHOUT_TRANSCRIPT: Final = f"{PREFIX}:without-transcript"

#: Hash: periodic job -> its last run, as JSON (`shared/job_ledger.py`). TTL: a month.
JOBS: Final = f"{PREFIX}:jobs"

#: Sorted set: names of workers that have reported, by the time of their last report. Only an index:
#: names older than an hour are removed by any worker, and a name without its report counts as gone.
WORKERS: Final = f"{PREFIX}:workers"

#: Prefix of channels: a relay publishes to itself here to see that it receives (FAILURES 29).
RELAY_ECHO: Final = f"{PREFIX}:echo:"

#: Prefix of all keys of Celery and Kombu.
BROKER_PREFIX: Final = f"{PREFIX}:celery:"


def feed_tag(owner: str, session_id: str | None, run_id: str) -> str:
    """Return the tag of a session, in its keys and its channel; a run without session has its own.

    It is a hash, so that any id is safe in a key, and no owner can guess the tag of another (P10).
    """
    name = f"s\0{owner}\0{session_id}" if session_id is not None else f"r\0{owner}\0{run_id}"
    return hashlib.sha256(name.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class RunKeys:
    """Keys of one run. TTL: `LOG_TTL`; the publisher renews it while the run is live, and the
    announcement of the end sets it for the last time (R30)."""

    tag: str
    run_id: str

    @property
    def log(self) -> str:
        """Stream; entry id is `<seq>-0`, fields `d` (the event as JSON) and `f` (fence)."""
        return f"{PREFIX}:{{{self.tag}}}:log:{self.run_id}"

    @property
    def meta(self) -> str:
        """Hash: fence, epoch, head (last seq), base (last seq of the checkpoint), ended."""
        return f"{PREFIX}:{{{self.tag}}}:meta:{self.run_id}"

    @property
    def checkpoint(self) -> str:
        """String: the fold of the entries up to base, which the stream no longer has (R29)."""
        return f"{PREFIX}:{{{self.tag}}}:fold:{self.run_id}"

    @property
    def live(self) -> str:
        """Hash of the session: run id -> epoch of runs with a log and without an announced end;
        run id -> `ended:<unix time>` of those that ended recently."""
        return live_runs(self.tag)


def live_runs(tag: str) -> str:
    """Return the key that `RunKeys.live` describes."""
    return f"{PREFIX}:{{{tag}}}:live"


@dataclass(frozen=True)
class Channels:
    """The channels of one installation on one Redis server.

    Pub/sub knows no databases: a channel is heard by the clients of all of them. So that
    installations which share a server hear nothing of each other, the names carry the number of the
    database and the name of the installation.
    """

    installation: str
    database: int

    @property
    def control(self) -> str:
        """Workers receive `stop <run id>` here; a hint, the database has the flag."""
        return f"{self._prefix}:control"

    def session(self, tag: str) -> str:
        """Return the channel on which everything about a session is published (`events`)."""
        return f"{self._prefix}:{{{tag}}}:bell"

    @property
    def _prefix(self) -> str:
        return f"{PREFIX}:{self.installation}.{self.database}"


def worker_report(name: str) -> str:
    """String: what the worker of this name says of itself, as JSON (`worker_reports`). TTL: some of
    its intervals, so that it goes with the worker."""
    return f"{PREFIX}:worker:{name}"


def used_code(nonce: str) -> str:
    """String: a one-time code of this nonce was redeemed. TTL: the rest of the code's life."""
    return f"{PREFIX}:used-code:{nonce}"


def recovery(pid: str) -> str:
    """String: the sid of the socket that has this pid (P3). TTL: minutes, renewed meanwhile.

    The pid is hashed, so that reading keys is not enough to recover the socket of somebody else.
    """
    return f"{PREFIX}:pid:{{{hashlib.sha256(pid.encode()).hexdigest()[:32]}}}"


def recovery_record(pid: str, sid: str) -> str:
    """Hash: the sessions and ends of that socket (`web/recovery/offset.py`); the same TTL."""
    return f"{recovery(pid)}:{sid}"


def tag_of_channel(channel: str) -> str:
    """Return the tag in the name of a session's channel."""
    return channel[channel.index("{") + 1 : channel.index("}")]
