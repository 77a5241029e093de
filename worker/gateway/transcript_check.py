"""Finds out whether a gateway's transcripts can be had, and says so where they cannot (P25).

Whether a gateway has sessions over HTTP is decided by what it answers, not by its version.
"""

import logging
import threading
import time
from enum import StrEnum

from shared.errors import GatewayError, GatewayUnsupported, RedisUnavailable, UnknownProfile
from shared.event_log.gateway_notes import GatewayNotes
from shared.hermes.missing_transcript import MISSING, advice
from shared.hermes.profiles import Profile
from worker.gateway import hermes_state_db
from worker.gateway.client import GatewayClient
from worker.gateway.client_pool import ClientPool

log = logging.getLogger(__name__)

CHECK_EVERY = 300.0  # seconds between checks of a gateway that is used
RETRY_AFTER = 30.0  # seconds, after a check that failed
NOBODY = "holdfast-check"  # no session has this name


class Source(StrEnum):
    """Where the transcripts of a gateway come from."""

    HTTP = "http"
    HOME = "home"
    NONE = "none"


def transcript_source(gateway: GatewayClient, profile: Profile) -> Source:
    """Ask the gateway. Raises GatewayError if it does not answer as a gateway."""
    try:
        gateway.transcript(NOBODY)
    except GatewayUnsupported:
        at_hand = profile.home is not None and hermes_state_db.is_usable(profile.home)
        return Source.HOME if at_hand else Source.NONE
    return Source.HTTP


class TranscriptCheck:
    """Checks the gateways of the profiles: all at the start, each one again while it is used."""

    def __init__(self, gateways: ClientPool, notes: GatewayNotes) -> None:
        self._gateways = gateways
        self._notes = notes
        self._found: dict[str, Source] = {}
        self._check_at: dict[str, float] = {}  # the next time

    def start(self) -> None:
        """Check all profiles in a thread of its own; gateways that do not answer are left out."""
        threading.Thread(target=self._check_all, name="transcript-check", daemon=True).start()

    def check_used(self, profile: str) -> None:
        """Check the profile's gateway, unless that was done a short while ago. Does not raise."""
        if time.monotonic() >= self._check_at.get(profile, 0.0):
            self.check(profile)

    def check(self, profile: str) -> None:
        """Check the profile's gateway. Does not raise."""
        self._check_at[profile] = time.monotonic() + RETRY_AFTER
        try:
            found = transcript_source(
                self._gateways.client(profile), self._gateways.profile(profile)
            )
            self._check_at[profile] = time.monotonic() + CHECK_EVERY
            self._log(profile, found)
            self._notes.note_transcript(profile, given=found is not Source.NONE)
        except (GatewayError, UnknownProfile, RedisUnavailable) as error:
            log.info("transcript.unchecked profile=%s error=%s", profile, error)
        except Exception:  # the edge: it is advice, and no run may fail because of it
            log.exception("transcript.check_broken profile=%s", profile)

    def _check_all(self) -> None:
        for profile in self._gateways.names():
            self.check(profile)

    def _log(self, profile: str, found: Source) -> None:
        if self._found.get(profile) is found:
            return
        self._found[profile] = found
        if found is Source.NONE:
            missing = ",".join(MISSING)
            log.warning(
                "transcript.none profile=%s missing=%s advice=%s", profile, missing, advice(profile)
            )
        else:
            log.info("transcript.source profile=%s source=%s", profile, found)
