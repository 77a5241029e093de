"""`holdfast sessions`: list, export, delete, and clean up what is old."""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from deploy.commands.operate.installation import Installation
from deploy.commands.operate.output import progress, show_json, show_rows, time_of
from deploy.errors import DeployError, NotThereError
from shared.db import gateway_sessions
from shared.db.sessions.export_session import Format, export_session
from shared.db.sessions.list_sessions import Filter, Listed, list_sessions
from shared.errors import NotFound, Unavailable
from shared.hermes.profiles import Profiles
from shared.retention import Policy, Retention

MARGIN: Final = 5.0  # seconds beyond STOP_TIMEOUT for a worker to write the end
COLUMNS: Final = (
    *("id", "title", "profile", "source", "used", "messages", "tokens"),
    *("pinned", "archived"),
)


def show_sessions(
    here: Installation, *, owner: str, limit: int, archived: bool, as_json: bool
) -> int:
    """Print the sessions of an owner, those that were used last first."""
    only = Filter(archived=None if archived else False)
    page = here.db.read(partial(list_sessions, owner=owner, limit=limit, only=only))
    rows = [_row(one) for one in page.sessions]
    if as_json:
        show_json({"total": page.total, "sessions": rows})
    else:
        show_rows(rows, COLUMNS)
        if page.total > len(rows):
            print(f"{len(rows)} of {page.total}")
    return 0


def export(
    here: Installation, session_id: str, *, owner: str, form: Format, output: Path | None
) -> int:
    """Write a session as a file, or to standard output."""
    try:
        parts = export_session(here.db, owner, session_id, form)
        if output is None:
            sys.stdout.writelines(part.decode() for part in parts)
            return 0
        with output.open("wb") as file, progress("exporting", None):
            file.writelines(parts)
    except NotFound:
        raise NotThereError(f"{owner} has no session {session_id!r}") from None
    print(f"{output}: {output.stat().st_size} bytes", file=sys.stderr)
    return 0


def delete(here: Installation, session_ids: Sequence[str], *, owner: str) -> int:
    """Stop the runs of these sessions and delete all their data."""
    within = here.settings.stop_timeout.total_seconds() + MARGIN
    failed = []
    with progress("deleting", len(session_ids)) as bar:
        for session_id in session_ids:
            try:
                removed = here.deleter.delete(owner, session_id, within=within)
            except NotFound:
                failed.append(session_id)
            else:
                runs = len(removed.run_ids)
                print(f"deleted {session_id}: {removed.messages} messages, {runs} runs")
            bar.advance(bar.task_ids[0])
    if failed:
        raise NotThereError(f"{owner} has no session {', '.join(map(repr, failed))}")
    return 0


def clean_up(here: Installation, *, dry_run: bool, retry_parked: bool, as_json: bool) -> int:
    """Delete what is older than the settings allow; have parked deletions tried again."""
    retention = Retention(here.db, here.deleter, Policy.of(here.settings))
    expired = retention.count()
    result: dict[str, Any] = {"dry_run": dry_run, "expired": expired}
    if retry_parked and not dry_run:
        result["retried_deletions"] = _retry_parked(here)
    if not dry_run:
        with progress("cleaning up", sum(expired.values())) as bar:
            try:
                result["deleted"] = retention.clean_up(
                    within=float("inf"),
                    progress=lambda kind, more: bar.advance(bar.task_ids[0], more),
                )
            except Unavailable as error:
                raise DeployError(f"{error}; the same command goes on") from error
    if as_json:
        show_json(result)
        return 0
    kinds = [
        {"what": kind, "expired": count, "deleted": result.get("deleted", {}).get(kind)}
        for kind, count in expired.items()
    ]
    show_rows(kinds, ("what", "expired", "deleted"))
    if "retried_deletions" in result:
        print(f"parked deletions that are tried again: {result['retried_deletions']}")
    return 0


def _retry_parked(here: Installation) -> int:
    names = Profiles.load(here.settings).names()
    retry = gateway_sessions.retry_parked
    return sum(here.db.write(partial(retry, profile=name, session_ids=None)) for name in names)


def _row(one: Listed) -> dict[str, Any]:
    info = one.info
    return {
        "id": info["id"],
        "title": info["title"],
        "profile": info["profile"],
        "source": info["source"],
        "used": time_of(info["last_active"]),
        "messages": info["message_count"],
        "tokens": info["input_tokens"] + info["output_tokens"],
        "pinned": info["pinned"],
        "archived": info["archived"],
    }
