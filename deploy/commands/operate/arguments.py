"""The options of the commands for operators, and which function does each."""

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from shared.settings import Settings

Command = Callable[[argparse.Namespace, Mapping[str, str]], int]
Add = Callable[..., argparse.ArgumentParser]
MOST = 1000  # rows of a list


def add_operator_commands(command: Add, parser: argparse.ArgumentParser) -> None:
    """Add them to the parser. `command` adds one, by its name, function and text."""
    _add_runs(command("runs", _usage, "look at runs, stop them, start failed ones again"))
    _with_json(command("queues", _on(_queues), "print what waits, what is live, and the jobs"))
    _with_json(command("workers", _on(_workers), "print the worker processes"))
    _add_sessions(command("sessions", _usage, "list, export and delete sessions, clean up"))

    def complete(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
        from deploy.commands.operate.completion import completion

        print(completion(parser, arguments.shell), end="")
        return 0

    shell = command("completion", complete, "print what a shell needs to complete commands")
    shell.add_argument("shell", choices=("bash", "zsh"))


def _group(parent: argparse.ArgumentParser) -> Add:
    commands = parent.add_subparsers(required=True, metavar="action")

    def add(name: str, run: Command, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(run=run)
        return sub

    return add


def _add_runs(parent: argparse.ArgumentParser) -> None:
    add = _group(parent)
    listing = add("list", _on(_list_runs), "print runs, the newest first")
    states = ("open", "queued", "running", "stopping", "completed", "failed", "aborted")
    listing.add_argument("--status", choices=states, help="only these")
    listing.add_argument("--profile", help="only of this profile")
    listing.add_argument("--owner", help="only of this owner")
    _with_limit(listing)
    _with_json(listing)
    showing = add("show", _on(_show_run), "print a run, and when it did what")
    _with_json(showing)
    aborting = add("abort", _on(_abort_run), "stop a run")
    retrying = add("retry", _on(_retry_run), "start a failed run again, as another run")
    tailing = add(
        "tail",
        _on(_tail_run),
        "print the events of a run as they come; the exit code is 0, 4 (failed) or 5 (aborted)",
    )
    tailing.add_argument("--text", action="store_true", help="print what the agent writes, too")
    _with_json(tailing)
    for one in (showing, aborting, retrying, tailing):
        one.add_argument("id", help="id of the run")


def _add_sessions(parent: argparse.ArgumentParser) -> None:
    add = _group(parent)
    listing = add("list", _on(_list_sessions), "print the sessions of an owner")
    listing.add_argument("--archived", action="store_true", help="archived ones, too")
    _with_limit(listing)
    _with_json(listing)
    exporting = add("export", _on(_export), "write a session as a file")
    exporting.add_argument("id", help="id of the session")
    exporting.add_argument("--format", choices=("json", "md"), default="json", help="(json)")
    exporting.add_argument("--output", type=Path, help="the file (default: standard output)")
    deleting = add("delete", _on(_delete), "stop the runs of sessions and delete all their data")
    deleting.add_argument("ids", nargs="+", metavar="id", help="ids of the sessions")
    for one in (listing, exporting, deleting):
        one.add_argument("--owner", default="default", help="its owner (default: default)")
    cleaning = add("gc", _on(_clean_up), "delete what is older than the settings RETENTION_… allow")
    cleaning.add_argument("--dry-run", action="store_true", help="only count what would go")
    cleaning.add_argument(
        "--retry-parked", action="store_true", help="try deletions at gateways that failed again"
    )
    _with_json(cleaning)


def _with_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def _with_limit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--limit", type=_limit, default=50, metavar="N", help=f"how many, to {MOST} (default: 50)"
    )


def _limit(text: str) -> int:
    number = int(text)
    if not 1 <= number <= MOST:
        raise argparse.ArgumentTypeError(f"must be from 1 to {MOST}")
    return number


def _usage(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    print("an action is missing", file=sys.stderr)
    return 2


def _on(work: Callable[[Any, argparse.Namespace], int]) -> Command:
    """A command that works on the configured installation."""

    def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
        from deploy.commands.operate.installation import open_installation

        with open_installation(Settings.load(environ)) as here:
            return work(here, arguments)

    return run


def _list_runs(here: Any, given: argparse.Namespace) -> int:
    from deploy.commands.operate.runs import list_runs

    return list_runs(
        here,
        status=given.status,
        profile=given.profile,
        owner=given.owner,
        limit=given.limit,
        as_json=given.json,
    )


def _show_run(here: Any, given: argparse.Namespace) -> int:
    from deploy.commands.operate.runs import show_run

    return show_run(here, given.id, as_json=given.json)


def _abort_run(here: Any, given: argparse.Namespace) -> int:
    from deploy.commands.operate.runs import abort_run

    return abort_run(here, given.id)


def _retry_run(here: Any, given: argparse.Namespace) -> int:
    from deploy.commands.operate.runs import retry_run

    return retry_run(here, given.id)


def _tail_run(here: Any, given: argparse.Namespace) -> int:
    from deploy.commands.operate.tail import tail_run

    return tail_run(here, given.id, with_text=given.text, as_json=given.json)


def _queues(here: Any, given: argparse.Namespace) -> int:
    from deploy.commands.operate.queues import show_queues

    return show_queues(here, as_json=given.json)


def _workers(here: Any, given: argparse.Namespace) -> int:
    from deploy.commands.operate.queues import show_workers

    return show_workers(here, as_json=given.json)


def _list_sessions(here: Any, given: argparse.Namespace) -> int:
    from deploy.commands.operate.sessions import show_sessions

    return show_sessions(
        here, owner=given.owner, limit=given.limit, archived=given.archived, as_json=given.json
    )


def _export(here: Any, given: argparse.Namespace) -> int:
    from deploy.commands.operate.sessions import export

    return export(here, given.id, owner=given.owner, form=given.format, output=given.output)


def _delete(here: Any, given: argparse.Namespace) -> int:
    from deploy.commands.operate.sessions import delete

    return delete(here, given.ids, owner=given.owner)


def _clean_up(here: Any, given: argparse.Namespace) -> int:
    from deploy.commands.operate.sessions import clean_up

    return clean_up(
        here, dry_run=given.dry_run, retry_parked=given.retry_parked, as_json=given.json
    )
