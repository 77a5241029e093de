"""The command `holdfast`."""

import argparse
import contextlib
import io
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from deploy.commands import capacity_report
from deploy.commands.operate.arguments import add_operator_commands
from deploy.errors import DeployError
from shared.errors import SettingsError
from shared.library_variables import drop_library_variables
from shared.log_setup import clean
from shared.settings import Settings

Command = Callable[[argparse.Namespace, Mapping[str, str]], int]
AddCommand = Callable[..., argparse.ArgumentParser]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    drop_library_variables(os.environ)
    _write_what_the_terminal_cannot()
    arguments = _parser().parse_args(argv)
    run: Command = arguments.run
    try:
        code = run(arguments, os.environ)
        _flush()
    except BrokenPipeError:  # `holdfast usage | head`
        _give_up_output()
        return 128 + signal.SIGPIPE
    except (DeployError, SettingsError) as error:
        return _fail(str(error), getattr(error, "exit_code", 1))
    except OSError as error:  # of a file or folder, or of the output
        _give_up_output()
        place = f"{error.filename}: " if error.filename else ""
        return _fail(f"{place}{error.strerror or error}")
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return code


def _fail(text: str, code: int = 1) -> int:
    shown = "\n".join(clean(line) for line in text.split("\n"))
    with contextlib.suppress(OSError, ValueError):
        print(f"holdfast: {shown}", file=sys.stderr, flush=True)
    return code


def _write_what_the_terminal_cannot() -> None:
    """Names of files and sessions may have characters that the encoding of the terminal lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _flush() -> None:
    if sys.stdout is not None:
        sys.stdout.flush()


def _give_up_output() -> None:
    """What is still unwritten would fail once more when the process ends."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        _flush()
        return
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _up(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from deploy.commands.up import up
    from deploy.local.stack import Choices

    if arguments.port is not None:
        environ = {**environ, "PORT": str(arguments.port)}
    choices = Choices(arguments.web, arguments.workers, arguments.flower, arguments.open)
    up(environ, choices)
    return 0


def _link(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from deploy.commands.link import link
    from shared import listening

    settings = Settings.load(environ)
    token = "" if settings.auth_disabled else _token(settings)
    address = link(listening.url(settings.host, settings.port), token)
    if address is None:
        raise DeployError("no page was built; `make ui` does it in a checkout")
    print(address)
    return 0


def _module(*module: str) -> Command:
    """A command that executes `python -m module` with the home's token in its environment."""

    def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
        from deploy.local.stack import python_path

        settings = _role_settings(environ)
        own = {"AUTH_TOKEN": _token(settings), "PYTHONPATH": python_path(environ)}
        environment = {**environ, **own}
        os.execve(sys.executable, [sys.executable, "-P", "-m", *module], environment)  # noqa: S606

    return run


def _flower(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from deploy.commands import flower

    settings = _role_settings(environ)
    flower.run(settings, _token(settings))
    return 0


def _demo_gateway(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from deploy.local.stack import python_path

    command = [sys.executable, "-P", "-m", "deploy.demo_gateway", *arguments.options]
    environment = {**environ, "PYTHONPATH": python_path(environ)}
    os.execve(sys.executable, command, environment)  # noqa: S606


def _migrate(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from deploy.commands.migrate import migrate
    from deploy.local.home import open_home

    settings = Settings.load(environ)
    if settings.database_is_own:
        open_home(settings.home)
    migrate(settings)
    return 0


def _doctor(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from deploy.commands.doctor import doctor

    return doctor(environ, as_json=arguments.json)


def _probe(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from deploy.commands.probe import probe

    home = Path(environ.get("HOLDFAST_HOME", "").strip() or "~/.holdfast").expanduser()
    print(*probe(home, arguments.kind, arguments.role), sep="\n")
    return 0


def _move_database(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from deploy.commands.move_database import move_database

    move_database(Settings.load(environ), arguments.to)
    return 0


def _capacity(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    print(capacity_report.report(arguments))
    return 0


def _usage(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from deploy.commands.usage import usage
    from shared.db.usage_report import By

    settings = Settings.load(environ)
    return usage(settings, days=arguments.days, by=By(arguments.by), as_json=arguments.json)


def _delete_session(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from deploy.commands.delete_session import delete_session

    return delete_session(Settings.load(environ), arguments.owner, arguments.id)


def _new_token(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from deploy.commands.token import user_token

    print(user_token(arguments.user))
    return 0


def _import(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from deploy.commands.import_sessions import ImportOptions, import_sessions

    settings = Settings.load(environ)
    home = arguments.home or settings.hermes_home
    options = ImportOptions(
        home, arguments.profile, arguments.owner, arguments.dry_run, arguments.file
    )
    return import_sessions(settings, options)


def _version(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    print(version("holdfast"))
    return 0


def _role_settings(environ: Mapping[str, str]) -> Settings:
    settings = Settings.load(environ)
    if not settings.redis_url:
        raise DeployError(
            "REDIS_URL is not set; set it, or use `holdfast up`, which starts Redis and all roles"
        )
    return settings


def _token(settings: Settings) -> str:
    from deploy.local.home import open_home, secret

    return settings.auth_token or secret(open_home(settings.home).token_file)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="holdfast",
        description="A durable job queue between browsers and a Hermes Agent gateway.",
    )
    commands = parser.add_subparsers(required=True, metavar="command")

    def command(name: str, run: Command, text: str, **options: Any) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text, **options)
        sub.set_defaults(run=run)
        return sub

    _add_role_commands(command)
    command("migrate", _migrate, "create the database, or update its schema to this version")
    doctor = command("doctor", _doctor, "check the installation, and say how to correct it")
    doctor.add_argument("--json", action="store_true", help="print the findings as JSON")
    probe = command("probe", _probe, "check that the roles on this machine live, or can work")
    probe.add_argument("kind", choices=("live", "ready"), help="what is asked")
    probe.add_argument(
        "role",
        nargs="?",
        default="",
        choices=("", "web", "worker", "maintenance", "beat"),
        help="of one role (default: of all)",
    )
    token = command("token", _new_token, "create an access token for a user, and print it")
    token.add_argument("user", help="name of the user, who will own the sessions")
    _add_data_commands(command)
    add_operator_commands(command, parser)
    command("link", _link, "print an address of the page that signs in once, within ten minutes")
    command("version", _version, "print the version")
    return parser


def _add_role_commands(command: AddCommand) -> None:
    up = command("up", _up, "start everything on this machine, until Ctrl-C")
    up.add_argument("--port", type=int, help="port of the web role; 0: any (default: PORT or 8648)")
    up.add_argument(
        "--web", type=_count, default=1, metavar="N", help="number of web processes (default: 1)"
    )
    up.add_argument(
        "--workers", type=_count, default=1, metavar="N", help="number of workers (default: 1)"
    )
    up.add_argument("--open", action="store_true", help="open the page in the browser")
    up.add_argument("--flower", action="store_true", help="start Flower, too, on port 5555")
    command("web", _module("web"), "start a web process (Socket.IO and HTTP)")
    command("worker", _module("worker", "runs"), "start a Celery worker that executes runs")
    command(
        "maintenance",
        _module("worker", "maintenance"),
        "start the Celery worker of the periodic tasks (takeover, cleanup)",
    )
    command("beat", _module("worker", "beat"), "start Celery beat, which schedules periodic tasks")
    command("flower", _flower, "start Flower, the web page of the task queues, on 127.0.0.1")
    demo = command(
        "demo-gateway",
        _demo_gateway,
        "start a gateway without a model, for trials and tests",
        add_help=False,  # its options, also --help, are read by the gateway itself
        prefix_chars="\0",
    )
    demo.add_argument("options", nargs="*")


def _add_data_commands(command: AddCommand) -> None:
    mover = command("move-database", _move_database, "copy the SQLite database to PostgreSQL")
    mover.add_argument("--to", required=True, metavar="URL", help="postgresql://… of an empty one")
    plan = command("capacity", _capacity, "how many processes so many users need (an estimate)")
    capacity_report.add_options(plan)
    usage = command("usage", _usage, "print the tokens and costs of the last days")
    usage.add_argument(
        "--days", type=_days, default=30, metavar="N", help="days, including today (default: 30)"
    )
    groups = ("day", "model", "profile", "session")
    usage.add_argument(
        "--by", choices=groups, default="day", help="one row for each (default: day)"
    )
    usage.add_argument("--json", action="store_true", help="print the sums as JSON")
    delete = command(
        "delete-session", _delete_session, "stop the runs of a session and delete all its data"
    )
    delete.add_argument("id", help="id of the session")
    delete.add_argument("--owner", default="default", help="its owner (default: default)")
    fetch = command("import", _import, "copy the sessions of a Hermes home that are not here yet")
    fetch.add_argument(
        "--home", type=_path, help="the Hermes home (default: HERMES_HOME, ~/.hermes)"
    )
    fetch.add_argument("--file", type=_path, help="a session exported as JSON, instead of a home")
    fetch.add_argument(
        "--profile", default="default", help="profile of the imported sessions (default: default)"
    )
    fetch.add_argument(
        "--owner", default="default", help="owner of the imported sessions (default: default)"
    )
    fetch.add_argument("--dry-run", action="store_true", help="print the counts, import nothing")


def _count(text: str) -> int:
    return _within(text, 1, 64)


def _days(text: str) -> int:
    return _within(text, 1, 36_500)


def _within(text: str, low: int, high: int) -> int:
    number = int(text)
    if not low <= number <= high:
        raise argparse.ArgumentTypeError(f"must be from {low} to {high}")
    return number


def _path(text: str) -> Path:
    return Path(text).expanduser()


if __name__ == "__main__":
    sys.exit(main())
