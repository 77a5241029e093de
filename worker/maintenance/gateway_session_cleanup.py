"""Deletes throw-away sessions at the gateways: those that are queued, and forgotten ones (R25)."""

import logging
from collections.abc import Iterator, Mapping
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

BATCH = 50  # sessions of one profile in one tick
SWEEP_AFTER = 24 * 3600.0  # seconds, on top of the longest time that a run may take
SWEEP_PAGES = 50


def delete_due(services: Services) -> None:
    """One batch of each profile, the oldest first. Harmless when two do it at once."""
    try:
        for profile in services.db.read(gateway_sessions.due_profiles):
            _batch(services, profile)
    except Unavailable as error:
        log.warning("deletions.waiting error=%s", type(error).__name__)


def _batch(services: Services, profile: str) -> None:
    batch = services.db.write(lambda tx: gateway_sessions.take_due(tx, profile, BATCH))
    for index, taken in enumerate(batch):
        try:
            existed = _delete(services, taken)
        except GatewayNoResponse as error:
            _fail(services, taken, error)
            _put_off(services, batch[index + 1 :], error)
            return
        except (GatewayError, UnknownProfile) as error:
            _fail(services, taken, error)
        else:
            _gone(services, taken, existed)


def _delete(services: Services, taken: DueDeletion) -> bool:
    """Whether it was there. Raises GatewayError, UnknownProfile."""
    profile = services.gateways.profile(taken.profile)
    try:
        return services.gateways.client(taken.profile).delete_session(taken.session_id)
    except GatewayUnsupported:
        return hermes_cli.delete_session(profile.home, taken.session_id)


def _gone(services: Services, taken: DueDeletion, existed: bool) -> None:
    services.db.write(lambda tx: gateway_sessions.mark_gone(tx, taken))
    log.info(
        "gateway_session.deleted profile=%s session=%s existed=%s",
        taken.profile,
        taken.session_id,
        existed,
    )


def _fail(services: Services, taken: DueDeletion, error: GatewayError | UnknownProfile) -> None:
    hopeless = isinstance(error, GatewayUnsupported)
    parked = services.db.write(
        lambda tx: gateway_sessions.note_failure(tx, taken, str(error), hopeless=hopeless)
    )
    log.log(
        logging.WARNING if parked else logging.INFO,
        "gateway_session.%s profile=%s session=%s failures=%s error=%s",
        "parked" if parked else "not_deleted",
        taken.profile,
        taken.session_id,
        taken.failures + 1,
        error,
    )


def _put_off(services: Services, untried: list[DueDeletion], error: GatewayError) -> None:
    """Nobody is there: the others need not wait for it one by one, nor are they to blame."""
    services.db.write(lambda tx: gateway_sessions.put_off(tx, untried, str(error)))
    log.info("deletions.put_off count=%s error=%s", len(untried), error)


# -- forgotten ones ------------------------------------------------------------------------------


def sweep(services: Services) -> None:
    """Queue what this installation has left at its gateways and does not know of any more."""
    for profile in services.gateways.names():
        try:
            _sweep_one(services, profile)
        except (GatewayError, Unavailable) as error:
            log.info("sweep.failed profile=%s error=%s", profile, error)


def _sweep_one(services: Services, profile: str) -> None:
    before = (
        services.db.read(read_clock) - SWEEP_AFTER - services.settings.run_deadline.total_seconds()
    )
    found: set[str] = set()
    for row in _all_sessions(services.gateways.client(profile)):
        if is_ours(row, services.settings.installation) and last_used(row) < before:
            found.add(str(row["id"]))
    left = services.db.write(lambda tx: _queue(tx, profile, found))
    if left:
        log.info("sweep.found profile=%s count=%s", profile, len(left))


def _queue(tx: Session, profile: str, found: set[str]) -> set[str]:
    left = found - gateway_sessions.in_use(tx, profile)
    gateway_sessions.retry_parked(tx, profile, left)
    for session_id in sorted(left):
        gateway_sessions.queue_deletion(tx, profile, session_id, saved=True)
    return left


def _all_sessions(gateway: GatewayClient) -> Iterator[Mapping[str, Any]]:
    offset = 0
    for _ in range(SWEEP_PAGES):
        page = gateway.list_sessions(offset=offset)
        yield from page.rows
        if not page.more:
            return
        offset += len(page.rows)


def is_ours(row: Mapping[str, Any], installation: str) -> bool:
    """Whether the name says that it is this installation's, or that of the session it continues:
    a gateway that compresses in mid-run goes on under a name of its own."""
    ours = (f"eph_{installation}_", f"compress_{installation}_")
    names = (row.get("id"), row.get("parent_session_id"), row.get("_lineage_root_id"))
    return any(isinstance(name, str) and name.startswith(ours) for name in names)


def last_used(row: Mapping[str, Any]) -> float:
    """Epoch seconds; what tells no time counts as used just now."""
    stamps = [row.get(key) for key in ("last_active", "ended_at", "started_at")]
    times = [float(s) for s in stamps if isinstance(s, int | float) and s > 0]
    return max(times, default=float("inf"))
