"""How gateways describe the end of a run: its event's name and its usage. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from shared.protocol.events import RUN_CANCELLED, RUN_COMPLETED
from shared.protocol.run_states import RunState

COUNTS: Final = ("input_tokens", "output_tokens", "total_tokens")
_MORE: Final = (
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "estimated_cost_usd",
    "actual_cost_usd",
    "cost_status",
)


def end_name(name: str, payload: Mapping[str, Any]) -> str:
    """The event that ends a run, as gateways name it: a stopped run is cancelled."""
    if name == RUN_COMPLETED and payload.get("status") == RunState.ABORTED:
        return RUN_CANCELLED
    return name


def usage_of(usage: Mapping[str, Any] | None) -> dict[str, Any]:
    """The three counts that gateways always have, and further counts and costs if they are known.
    Gateways' usages carry more, which is not for clients."""
    found = dict(usage or {})
    counts = {name: found.get(name) or 0 for name in COUNTS}
    if not counts["total_tokens"]:
        counts["total_tokens"] = counts["input_tokens"] + counts["output_tokens"]
    return {**counts, **{name: found[name] for name in _MORE if found.get(name) is not None}}
