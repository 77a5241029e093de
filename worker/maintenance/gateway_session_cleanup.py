"""Deletes throw-away sessions at the gateways: those that are queued, and forgotten ones (R25)."""

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy.orm import Session

from shared.db import gateway_sessions
from shared.db.clock import read_clock
from shared.db.gateway_sessions import Taken
from shared.errors import GatewayError, GatewayLacks, GatewaySilent, Unavailable, UnknownProfile
from worker.gateway import hermes_cli
from worker.gateway.client import GatewayClient
from worker.services import Parts

log = logging.getLogger(__name__)

BATCH = 50  # sessions of one profile in one tick
SWEEP_AFTER = 24 * 3600.0  # seconds, on top of the longest time that a run may take
SWEEP_PAGES = 50


def delete_due(parts: Parts) -> None:
    """One batch of each profile, the oldest first. Harmless when two do it at once."""
    try:
        for profile in parts.db.read(gateway_sessions.due_profiles):
            _batch(parts, profile)
    except Unavailable as error:
        log.warning("deletions.waiting error=%s", type(error).__name__)


def _batch(parts: Parts, profile: str) -> None:
    batch = parts.db.write(lambda session: gateway_sessions.take(session, profile, BATCH))
    for index, taken in enumerate(batch):
        try:
            existed = _delete(parts, taken)
        except GatewaySilent as error:
            _fail(parts, taken, error)
            _put_off(parts, batch[index + 1 :], error)
            return
        except (GatewayError, UnknownProfile) as error:
            _fail(parts, taken, error)
        else:
            _gone(parts, taken, existed)


def _delete(parts: Parts, taken: Taken) -> bool:
    """Whether it was there. Raises GatewayError, UnknownProfile."""
    profile = parts.gateways.profile(taken.profile)
    try:
        return parts.gateways.client(taken.profile).delete_session(taken.session_id)
    except GatewayLacks:
        return hermes_cli.delete_session(profile.home, taken.session_id)


def _gone(parts: Parts, taken: Taken, existed: bool) -> None:
    parts.db.write(lambda session: gateway_sessions.gone(session, taken))
    log.info(
        "gateway_session.deleted profile=%s session=%s existed=%s",
        taken.profile,
        taken.session_id,
        existed,
    )


def _fail(parts: Parts, taken: Taken, error: GatewayError | UnknownProfile) -> None:
    hopeless = isinstance(error, GatewayLacks)
    parked = parts.db.write(
        lambda session: gateway_sessions.failed(session, taken, str(error), hopeless=hopeless)
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


def _put_off(parts: Parts, untried: list[Taken], error: GatewayError) -> None:
    """Nobody is there: the others need not wait for it one by one, nor are they to blame."""
    parts.db.write(lambda session: gateway_sessions.put_off(session, untried, str(error)))
    log.info("deletions.put_off count=%s error=%s", len(untried), error)


# -- forgotten ones ------------------------------------------------------------------------------


def sweep(parts: Parts) -> None:
    """Queue what this installation has left at its gateways and does not know of any more."""
    for profile in parts.gateways.names():
        try:
            _sweep_one(parts, profile)
        except (GatewayError, Unavailable) as error:
            log.info("sweep.failed profile=%s error=%s", profile, error)


def _sweep_one(parts: Parts, profile: str) -> None:
    before = parts.db.read(read_clock) - SWEEP_AFTER - parts.settings.run_deadline.total_seconds()
    found: set[str] = set()
    for row in _all_sessions(parts.gateways.client(profile)):
        if is_ours(row, parts.settings.installation) and last_used(row) < before:
            found.add(str(row["id"]))
    left = parts.db.write(lambda session: _queue(session, profile, found))
    if left:
        log.info("sweep.found profile=%s count=%s", profile, len(left))


def _queue(session: Session, profile: str, found: set[str]) -> set[str]:
    left = found - gateway_sessions.in_use(session, profile)
    gateway_sessions.revive(session, profile, left)
    for session_id in sorted(left):
        gateway_sessions.forget(session, profile, session_id, saved=True)
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
