"""The command `holdfast`."""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from deploy.errors import DeployError
from shared.errors import SettingsError
from shared.settings import Settings

Command = Callable[[argparse.Namespace, Mapping[str, str]], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    arguments = _parser().parse_args(argv)
    run: Command = arguments.run
    try:
        return run(arguments, os.environ)
    except (DeployError, SettingsError) as error:
        print(f"holdfast: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _up(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from deploy.commands.up import up
    from deploy.local.stack import Choices

    if arguments.port is not None:
        environ = {**environ, "PORT": str(arguments.port)}
    up(environ, Choices(arguments.web, arguments.workers, arguments.flower))
    return 0


def _module(*module: str) -> Command:
    """A command that becomes `python -m module`, with the token of the home in its environment."""

    def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
        settings = _settings_of_a_role(environ)
        environment = {**environ, "AUTH_TOKEN": _token(settings)}
        os.execve(sys.executable, [sys.executable, "-P", "-m", *module], environment)  # noqa: S606

    return run


def _flower(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from deploy.commands import flower

    settings = _settings_of_a_role(environ)
    flower.run(settings, _token(settings))
    return 0


def _demo_gateway(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    command = [sys.executable, "-P", "-m", "deploy.demo_gateway", *arguments.options]
    os.execve(sys.executable, command, dict(environ))  # noqa: S606


def _migrate(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from deploy.local.home import open_home
    from shared.db import migrate

    settings = Settings.load(environ)
    if not environ.get("DATABASE_URL"):
        open_home(settings.home)
    migrate.upgrade(settings.database_url)
    return 0


def _doctor(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from deploy.commands.doctor import doctor

    return doctor(environ, as_json=arguments.json)


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
    from deploy.commands.import_sessions import Wanted, import_sessions

    settings = Settings.load(environ)
    home = arguments.home or settings.hermes_home
    wanted = Wanted(home, arguments.profile, arguments.owner, arguments.dry_run)
    return import_sessions(settings, wanted)


def _version(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    print(version("holdfast"))
    return 0


def _settings_of_a_role(environ: Mapping[str, str]) -> Settings:
    settings = Settings.load(environ)
    if not settings.redis_url:
        raise DeployError("REDIS_URL is not set; `holdfast up` starts a server and all roles")
    return settings


def _token(settings: Settings) -> str:
    from deploy.local.home import open_home, secret

    return settings.auth_token or secret(open_home(settings.home).token_file)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="holdfast", description="Chat runs that survive what happens around them."
    )
    commands = parser.add_subparsers(required=True, metavar="command")

    def command(name: str, run: Command, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(run=run)
        return sub

    up = command("up", _up, "start everything on this machine; Ctrl-C stops it")
    up.add_argument("--port", type=int, help="of the web role (PORT, 8648; 0: any free one)")
    up.add_argument("--web", type=_count, default=1, metavar="N", help="web processes (1)")
    up.add_argument("--workers", type=_count, default=1, metavar="N", help="run workers (1)")
    up.add_argument("--flower", action="store_true", help="Flower too, on port 5555")
    command("web", _module("web"), "the Socket.IO process")
    command("worker", _module("worker", "runs"), "a worker that runs turns")
    command("maintenance", _module("worker", "maintenance"), "the worker that cleans up")
    command("beat", _module("worker", "beat"), "the clock of the maintenance jobs")
    command("flower", _flower, "the operators' view of the queues, on 127.0.0.1")
    demo = command("demo-gateway", _demo_gateway, "a stand-in for a Hermes gateway")
    demo.add_argument("options", nargs=argparse.REMAINDER, help="passed on to it")
    command("migrate", _migrate, "bring the database to this version's schema")
    doctor = command("doctor", _doctor, "what is found, what is missing, what to do")
    doctor.add_argument("--json", action="store_true", help="for machines")
    token = command("token", _new_token, "a fresh token of a user, and its line for TOKENS_FILE")
    token.add_argument("user", help="its name; owner of the sessions begun with it")
    _add_data_commands(command)
    command("version", _version, "print the version")
    return parser


def _add_data_commands(command: Callable[[str, Command, str], argparse.ArgumentParser]) -> None:
    usage = command("usage", _usage, "tokens and costs of the last days, summed")
    usage.add_argument("--days", type=_days, default=30, metavar="N", help="with today (30)")
    groups = ("day", "model", "profile", "session")
    usage.add_argument("--by", choices=groups, default="day", help="what is summed (day)")
    usage.add_argument("--json", action="store_true", help="for machines")
    delete = command(
        "delete-session", _delete_session, "stop a session's runs and delete all that is kept of it"
    )
    delete.add_argument("id", help="of the session")
    delete.add_argument("--owner", default="default", help="whose it is (default)")
    fetch = command(
        "import", _import, "copy the sessions of a Hermes home; again adds only new ones"
    )
    fetch.add_argument("--home", type=_path, help="the Hermes home (HERMES_HOME, ~/.hermes)")
    fetch.add_argument("--profile", default="default", help="that goes on with them (default)")
    fetch.add_argument("--owner", default="default", help="whose they will be (default)")
    fetch.add_argument("--dry-run", action="store_true", help="only tell what would be done")


def _count(text: str) -> int:
    return _within(text, 1, 64)


def _days(text: str) -> int:
    return _within(text, 1, 36_500)


def _within(text: str, low: int, high: int) -> int:
    number = int(text)
    if not low <= number <= high:
        raise argparse.ArgumentTypeError(f"from {low} to {high}")
    return number


def _path(text: str) -> Path:
    return Path(text).expanduser()


if __name__ == "__main__":
    sys.exit(main())
