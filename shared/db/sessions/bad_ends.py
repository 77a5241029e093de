"""How the runs of a page of messages ended that were not answered: failed, or stopped."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.db.constants import constants
from shared.db.models import RunRow
from shared.protocol.run_states import RunState

MOST: Final = 100  # of one page; the newest ones
_CUT: Final = frozenset({"error", "aborted"})  # `finish_reason` of an answer that broke off

End = dict[str, Any]


def read_bad_ends(tx: Session, owner: str, messages: Sequence[Mapping[str, Any]]) -> list[End]:
    """Return `[{run_id, status, reason?, error?, unconfirmed?}]` of the turns of these messages, in
    their order. `status`: `failed` or `aborted`; `unconfirmed`: the gateway did not say that it
    stopped."""
    run_ids = _cut_turns(messages)[-MOST:]
    if not run_ids:
        return []
    rows = tx.execute(
        select(RunRow.id, RunRow.state, RunRow.reason, RunRow.terminal_entries).where(
            RunRow.id.in_(run_ids),
            RunRow.owner == owner,
            RunRow.state.in_(constants([RunState.FAILED, RunState.ABORTED])),
        )
    )
    found = {row.id: _end(row.id, row.state, row.reason, row.terminal_entries) for row in rows}
    return [found[run_id] for run_id in run_ids if run_id in found]


def _cut_turns(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    """The runs whose last message is no whole answer."""
    last = {run_id: one for one in messages if (run_id := one.get("run_id"))}
    return [
        run_id
        for run_id, one in last.items()
        if one["role"] == "user" or one.get("finish_reason") in _CUT
    ]


def _end(run_id: str, state: str, reason: str | None, entries: list[Any] | None) -> End:
    terminal: Mapping[str, Any] = entries[-1][1] if entries else {}
    known = {"reason": reason, "error": terminal.get("error")}
    return {
        "run_id": run_id,
        "status": str(RunState(state)),
        **{name: value for name, value in known.items() if value},
        **({"unconfirmed": True} if terminal.get("synced") is False else {}),
    }
