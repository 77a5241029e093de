"""Every Redis key and channel, with its life. A session has one hash tag: it is on one server."""

import hashlib
from dataclasses import dataclass
from typing import Final

PREFIX: Final = "hf"

#: Worker processes listen here for "stop this run"; a hint, the database has the flag.
CONTROL: Final = f"{PREFIX}:control"

#: String: who did the reaper's last tick. Lives for two ticks; without it the clock has stopped.
LAST_TICK: Final = f"{PREFIX}:last-tick"

#: String: written and gone at once, to see whether Redis takes writes before a run is accepted.
WRITABLE: Final = f"{PREFIX}:writable"

#: A relay sends itself a word here to prove that it hears (FAILURES 29).
RELAY_ECHO: Final = f"{PREFIX}:echo:"

#: Kombu's keys live under this prefix, apart from ours.
BROKER_PREFIX: Final = f"{PREFIX}:celery:"


def feed_tag(owner: str, session_id: str | None, run_id: str) -> str:
    """The name under which a session's runs are logged and rung; a run without session has its own.

    A hash, so that any id is a safe key and one owner cannot guess into another's (P10).
    """
    name = f"s\0{owner}\0{session_id}" if session_id is not None else f"r\0{owner}\0{run_id}"
    return hashlib.sha256(name.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class RunKeys:
    """Keys of one run. Their TTL is `LOG_TTL`, renewed with the lease, and at the end (R30)."""

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
        """String: the fold of the entries up to base, which the stream no longer holds (R29)."""
        return f"{PREFIX}:{{{self.tag}}}:fold:{self.run_id}"

    @property
    def live(self) -> str:
        """Hash run id -> epoch of the session's runs that have a log and no announced end;
        `ended:<unix time>` of those that ended a moment ago."""
        return live_runs(self.tag)

    @property
    def channel(self) -> str:
        """Channel of the session."""
        return session_channel(self.tag)


def live_runs(tag: str) -> str:
    """See RunKeys.live."""
    return f"{PREFIX}:{{{tag}}}:live"


def session_channel(tag: str) -> str:
    """The channel on which a session's doorbell rings."""
    return f"{PREFIX}:{{{tag}}}:bell"


def recovery(pid: str) -> str:
    """String: the sid of the socket that has this pid (P3). Lives minutes after its last renewal.

    A hash, so that who reads keys cannot come back as somebody else.
    """
    return f"{PREFIX}:pid:{{{hashlib.sha256(pid.encode()).hexdigest()[:32]}}}"


def recovery_record(pid: str, sid: str) -> str:
    """Hash: the sessions and ends of that socket (`web/recovery/offset.py`); lives as long."""
    return f"{recovery(pid)}:{sid}"


def tag_of_channel(channel: str) -> str:
    """The tag inside a channel's name."""
    return channel[channel.index("{") + 1 : channel.index("}")]
