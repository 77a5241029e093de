"""Deletes ephemeral sessions at the gateways when nobody needs them any longer (R25).

Problem: each run makes a session at its gateway, which must stay until its transcript is saved and
the gateway's run is over, and must not stay for ever. Gateways may be down, unable to delete, or
shared with other installations. Idea: whatever lets go of a session queues its deletion as a row,
in the same transaction. `delete_due` works on the rows that are due, a batch of each profile in
turn, rests as long as that took, and goes on for a bounded time; failures wait longer each time,
and the third parks the row. Once a day `sweep` lists the sessions of each gateway and queues those
of this installation that no row knows any more, for example because a database was lost, and parked
ones again.
Invariant: a session is deleted only by way of a row of the queue, and `sweep` queues only sessions
whose name contains this installation's, which no open or orphaned run uses, and which were last
used longer ago than a run may take and a day on top. Deleting twice is harmless.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Any

from sqlalchemy.orm import Session

from shared.db import gateway_sessions
from shared.db.clock import read_clock
from shared.db.gateway_sessions import DueDeletion
from shared.errors import (
    GatewayError,
    GatewayNoResponse,
    GatewayUnsupported,
    Unavailable,
    UnknownProfile,
)
from worker.gateway import hermes_cli
from worker.gateway.client import GatewayClient
from worker.services import Services

log = logging.getLogger(__name__)

BATCH = 50  # sessions of one profile that are taken at once
FOR = 240.0  # seconds of one call; beat sends one every five minutes
PAUSE_MOST = 5.0  # seconds
DELETED = "gateway_session.deleted profile=%s session=%s existed=%s"
SWEEP_AFTER = 24 * 3600.0  # seconds, on top of the longest time that a run may take
SWEEP_PAGES = 50


def delete_due(services: Services, *, within: float = FOR) -> dict[str, int]:
    """Delete those that are due, the oldest first, until there are no more, the time is over or the
    process is to stop; return how many. Several processes may do it at once. Does not raise
    Unavailable: the next call goes on."""
    deadline = monotonic() + within
    done = 0
    try:
        profiles = services.db.read(gateway_sessions.due_profiles)
        while profiles and monotonic() < deadline and not services.draining:
            began = monotonic()
            batches = {profile: _delete_batch(services, profile) for profile in profiles}
            done += sum(batch.deleted for batch in batches.values())
            profiles = [profile for profile, batch in batches.items() if batch.more]
            if profiles:
                sleep(min(PAUSE_MOST, monotonic() - began))  # others want the gateway, too
    except Unavailable as error:
        log.warning("gateway_session.waiting error=%s", type(error).__name__)
    return {"deleted": done}


@dataclass(frozen=True)
class _Batch:
    """What became of it. `more`: the gateway responds, and there may be another one."""

    deleted: int
    more: bool


def _delete_batch(services: Services, profile: str) -> _Batch:
    batch = services.db.write(lambda tx: gateway_sessions.take_due(tx, profile, BATCH))
    gone: list[str] = []
    more = len(batch) == BATCH
    for index, due in enumerate(batch):
        try:
            existed = _delete(services, due)
        except GatewayNoResponse as error:
            _record_failure(services, due, error)
            _put_off(services, batch[index + 1 :], error)
            more = False
            break
        except (GatewayError, UnknownProfile) as error:
            _record_failure(services, due, error)
        else:
            gone.append(due.session_id)
            log.info(DELETED, profile, due.session_id, existed)
    if gone:
        services.db.write(lambda tx: gateway_sessions.mark_gone(tx, profile, gone))
    return _Batch(len(gone), more)


def _delete(services: Services, due: DueDeletion) -> bool:
    """Delete over HTTP, or with Hermes' command where the gateway cannot; return whether the
    session existed. Raises GatewayError, UnknownProfile."""
    profile = services.gateways.profile(due.profile)
    try:
        return services.gateways.client(due.profile).delete_session(due.session_id)
    except GatewayUnsupported:
        return hermes_cli.delete_session(profile.home, due.session_id)


def _record_failure(
    services: Services, due: DueDeletion, error: GatewayError | UnknownProfile
) -> None:
    hopeless = isinstance(error, GatewayUnsupported)
    parked = services.db.write(
        lambda tx: gateway_sessions.note_failure(tx, due, str(error), hopeless=hopeless)
    )
    log.log(
        logging.WARNING if parked else logging.INFO,
        "gateway_session.%s profile=%s session=%s failures=%s error=%s",
        "parked" if parked else "not_deleted",
        due.profile,
        due.session_id,
        due.failures + 1,
        error,
    )


def _put_off(services: Services, untried: list[DueDeletion], error: GatewayError) -> None:
    """Give back the rest of a batch whose gateway does not respond: each would wait for a timeout
    of its own. That does not count as a failure of theirs."""
    services.db.write(lambda tx: gateway_sessions.put_off(tx, untried, str(error)))
    log.info("gateway_session.put_off count=%s error=%s", len(untried), error)


# -- sessions that no row knows ------------------------------------------------------------------


def sweep(services: Services) -> None:
    """Queue the untracked sessions of this installation at each gateway. A gateway that fails is
    skipped until the next sweep."""
    for profile in services.gateways.names():
        try:
            _sweep_one(services, profile)
        except (GatewayError, Unavailable) as error:
            log.info("gateway_session.sweep_failed profile=%s error=%s", profile, error)


def _sweep_one(services: Services, profile: str) -> None:
    before = (
        services.db.read(read_clock) - SWEEP_AFTER - services.settings.run_deadline.total_seconds()
    )
    found: set[str] = set()
    for row in _all_sessions(services.gateways.client(profile)):
        if is_ours(row, services.settings.installation) and last_used(row) < before:
            found.add(str(row["id"]))
    queued = services.db.write(lambda tx: _queue_unused(tx, profile, found))
    if queued:
        log.info("gateway_session.untracked profile=%s count=%s", profile, len(queued))


def _queue_unused(tx: Session, profile: str, found: set[str]) -> set[str]:
    """Queue those of the sessions that no run uses, parked ones again; return them."""
    unused = found - gateway_sessions.in_use(tx, profile)
    gateway_sessions.retry_parked(tx, profile, unused)
    for session_id in sorted(unused):
        gateway_sessions.queue_deletion(tx, profile, session_id, saved=True)
    return unused


def _all_sessions(gateway: GatewayClient) -> Iterator[Mapping[str, Any]]:
    offset = 0
    for _ in range(SWEEP_PAGES):
        page = gateway.list_sessions(offset=offset)
        yield from page.rows
        if not page.more:
            return
        offset += page.size


def is_ours(row: Mapping[str, Any], installation: str) -> bool:
    """Whether the session's name, or that of the session it continues, is one that this
    installation gives: a gateway that compresses in mid-run goes on under a name of its own."""
    ours = (f"eph_{installation}_", f"compress_{installation}_")
    names = (row.get("id"), row.get("parent_session_id"), row.get("_lineage_root_id"))
    return any(isinstance(name, str) and name.startswith(ours) for name in names)


def last_used(row: Mapping[str, Any]) -> float:
    """Return epoch seconds; a row without any time counts as used just now (infinity)."""
    stamps = [row.get(key) for key in ("last_active", "ended_at", "started_at")]
    times = [float(s) for s in stamps if isinstance(s, int | float) and s > 0]
    return max(times, default=float("inf"))
