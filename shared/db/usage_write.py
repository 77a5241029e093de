"""Stores the usage of one run. What a gateway reports is checked: it may be of any shape."""

import math
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from shared.conversation.content import clean_text
from shared.db.models import UsageRow
from shared.db.upserts import Upsert
from shared.db.usage_report import BILLING, COSTS, COUNTS


def _storing(insert: Any) -> Any:
    """A later report replaces an earlier one; `created_at` stays that of the first."""
    written = insert(UsageRow)
    reported = ("model", *COUNTS, *COSTS, *BILLING)
    again = {name: written.excluded[name] for name in reported}
    return written.on_conflict_do_update(index_elements=[UsageRow.run_id], set_=again)


_STORED = Upsert(_storing)


def store_usage(tx: Session, run: Row[Any], usage: Mapping[str, Any] | None, now: float) -> None:
    """Store the usage that the gateway reported, if any; `now` is in epoch seconds."""
    if not usage:
        return
    columns = {
        "run_id": run.id,
        "owner": run.owner,
        "session_id": run.session_id,
        "profile": run.profile,
        "model": usage.get("model") or run.model,
        "created_at": now,
        **{name: _count(usage.get(name)) for name in COUNTS},
        **{name: _cost(usage.get(name)) for name in COSTS},
        **{name: _text(usage.get(name)) for name in BILLING},
    }
    tx.connection().execute(_STORED.on(tx), columns)


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _cost(value: object) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if 0 <= value < math.inf else None


def _text(value: object) -> str | None:
    return clean_text(value) if isinstance(value, str) and value else None
