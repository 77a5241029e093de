"""Keys by which a client recognises its own request (`Idempotency-Key`): one run for each.

A key is an owner's, whatever the session. It is stored in the transaction that accepts the run, and
is kept as long as the run's row. Two requests with one key at once meet at the primary key: the
second one fails with IntegrityError, is tried again, and finds the first.
"""

import hashlib
from dataclasses import dataclass

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from shared.db.clock import DbNow
from shared.db.models import IdempotencyKeyRow, RunRow
from shared.errors import IdempotencyConflict


@dataclass(frozen=True)
class IdempotencyKey:
    """`key`: the hash of what the client chose. `body_hash`: of all that the request says."""

    key: str
    body_hash: str


def key_of(text: str, body_hash: str) -> IdempotencyKey:
    """The key of a request that carries this text."""
    return IdempotencyKey(hashlib.sha256(text.encode()).hexdigest(), body_hash)


def first_run(tx: Session, owner: str, key: IdempotencyKey) -> RunRow | None:
    """Return the run that was made for the key; None: there is none yet. Raises
    IdempotencyConflict if it was made for another request."""
    found = tx.execute(
        select(IdempotencyKeyRow.body_hash, RunRow)
        .join(RunRow, RunRow.id == IdempotencyKeyRow.run_id)
        .where(IdempotencyKeyRow.owner == owner, IdempotencyKeyRow.key == key.key)
    ).first()
    if found is None:
        return None
    if found.body_hash != key.body_hash:
        raise IdempotencyConflict
    run: RunRow = found.RunRow
    return run


def store(tx: Session, owner: str, key: IdempotencyKey, run_id: str) -> None:
    """Note that the run was made for the key. Raises IntegrityError if another one was."""
    values = {"owner": owner, "key": key.key, "body_hash": key.body_hash, "run_id": run_id}
    tx.connection().execute(insert(IdempotencyKeyRow).values(created_at=DbNow(), **values))


def forget(tx: Session, run_ids: object) -> None:
    """Delete the keys of these runs, given as a subquery of ids: their rows go as well."""
    tx.execute(delete(IdempotencyKeyRow).where(IdempotencyKeyRow.run_id.in_(run_ids)))  # type: ignore[arg-type]
