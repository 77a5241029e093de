"""Reads what a gateway stored of a turn: over HTTP, else from the profile's `state.db`.

A gateway that compresses in mid-run ends the session and continues it under another id, so a turn
may be spread over a chain of sessions (P25). The chain is put together here; how far HTTP gives it
depends on the gateway's version.
"""

import time
from collections.abc import Iterator
from dataclasses import replace

from shared import runtime
from shared.errors import GatewayNoResponse, GatewayUnsupported
from shared.hermes.profiles import Profile
from worker.gateway import hermes_state_db
from worker.gateway.client import GatewayClient
from worker.gateway.hermes_state_db import (
    LONGEST_CHAIN,
    came_after,
    ended_by_compression,
    transcript_of,
)
from worker.gateway.models import GatewayMessage, GatewaySession, GatewayTranscript

READ_WITHIN = 60.0  # seconds, for all requests of one transcript together
CHILD_PAGES = 3  # of the last used sessions; a continuation is among the newest


def read_transcript(
    gateway: GatewayClient, profile: Profile, session_id: str
) -> GatewayTranscript | None:
    """The session's messages with those of its continuations, and the usage of all; None if
    there is no such session. Raises GatewayError.

    `session_ids` names the sessions in order, `session_id` the last of them: if it differs from the
    requested one, the messages may contain a summary and repeat others (R6).
    """
    try:
        return _over_http(gateway, profile, session_id)
    except GatewayUnsupported:
        return _from_home(profile, session_id)


def read_steps(gateway: GatewayClient, session_id: str) -> GatewayTranscript | None:
    """What the session has so far, in one request; None if there is no such session, or no way to
    read it. Raises GatewayError."""
    try:
        return gateway.transcript(session_id)
    except GatewayUnsupported:
        return _from_home(gateway.profile, session_id)


def _from_home(profile: Profile, session_id: str) -> GatewayTranscript | None:
    if profile.home is None:
        return None
    return runtime.offload(hermes_state_db.read, profile.home, session_id)


def _over_http(
    gateway: GatewayClient, profile: Profile, session_id: str
) -> GatewayTranscript | None:
    until = time.monotonic() + READ_WITHIN
    transcript = gateway.transcript(session_id)
    first = gateway.session(session_id)
    if transcript is None or first is None:
        return None
    if transcript.session_id == session_id and not ended_by_compression(first):
        return transcript_of([first], transcript.messages)
    # Newer gateways return only the last session's messages, whichever of them is requested.
    whole = _from_home(profile, session_id)
    if whole is not None:
        return whole
    named = transcript.session_id
    chain = _chain(gateway, first, named, until)
    if chain is None:  # it names another conversation, which is none of this turn
        return replace(transcript_of([first], transcript.messages), session_id=named)
    return transcript_of(chain, _messages(gateway, chain, transcript, until))


def _check_time(until: float) -> None:
    if time.monotonic() > until:
        raise GatewayNoResponse("the transcript took too long")


def _chain(
    gateway: GatewayClient, first: GatewaySession, tip_id: str, until: float
) -> list[GatewaySession] | None:
    if tip_id == first["id"]:
        return _forward(gateway, first, until)
    back = _backward(gateway, tip_id, first["id"], until)
    return [first, *reversed(back)] if back is not None else None


def _backward(
    gateway: GatewayClient, tip_id: str, first_id: str, until: float
) -> list[GatewaySession] | None:
    """The sessions from the last one back to the requested one, without that, as far as they are
    known; None if they began elsewhere."""
    rows: list[GatewaySession] = []
    wanted: str | None = tip_id
    while wanted and wanted != first_id and len(rows) < LONGEST_CHAIN:
        _check_time(until)
        row = gateway.session(wanted)
        if row is None:
            break
        rows.append(row)
        wanted = row.get("parent_session_id")
    return rows if wanted else None


def _forward(gateway: GatewayClient, first: GatewaySession, until: float) -> list[GatewaySession]:
    """The session and its continuations, found by their parent ids in the list of sessions."""
    newest = sorted(_newest(gateway, until), key=_began, reverse=True)
    chain = [first]
    while ended_by_compression(chain[-1]) and len(chain) < LONGEST_CHAIN:
        last = chain[-1]
        children = (row for row in newest if row.get("parent_session_id") == last["id"])
        child = next((row for row in children if came_after(row, last)), None)
        if child is None or child in chain:
            break
        chain.append(child)
    return chain


def _newest(gateway: GatewayClient, until: float) -> Iterator[GatewaySession]:
    offset = 0
    for _ in range(CHILD_PAGES):
        _check_time(until)
        page = gateway.list_sessions(offset=offset)
        yield from page.rows
        if not page.more:
            return
        offset += page.size


def _began(row: GatewaySession) -> float:
    return row.get("started_at") or 0.0


def _messages(
    gateway: GatewayClient, chain: list[GatewaySession], first: GatewayTranscript, until: float
) -> list[GatewayMessage]:
    """The messages of all sessions of the chain. `first` is the answer for its first session: with
    the id of another one, it is all that the gateway gives."""
    messages = list(first.messages)
    if first.session_id != chain[0]["id"]:
        return messages
    for row in chain[1:]:
        _check_time(until)
        more = gateway.transcript(row["id"])
        messages += more.messages if more is not None else []
    return messages
