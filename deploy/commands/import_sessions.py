"""`holdfast import`: copies the conversations of a Hermes home into this installation (P29)."""

import hashlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from deploy.commands.hermes_import import THROW_AWAY, read_chat, session_ids
from deploy.errors import DeployError
from shared.db.database import Database
from shared.db.sessions.import_session import Chat, Step, complete, import_some
from shared.errors import DatabaseUnavailable, UnknownProfile
from shared.hermes.profiles import Profiles
from shared.settings import Settings


@dataclass(frozen=True)
class Wanted:
    """From which home, under which profile and owner; `dry_run`: only tell."""

    home: Path
    profile: str
    owner: str
    dry_run: bool


@dataclass
class Tally:
    """What became of the home's sessions."""

    sessions: int = 0
    messages: int = 0
    here: int = 0
    throw_away: int = 0
    empty: int = 0

    def __str__(self) -> str:
        return (
            f"{self.sessions} sessions, {self.messages} messages; left out: {self.here} that are "
            f"here, {self.throw_away} throw-away ones, {self.empty} empty ones"
        )


def import_sessions(settings: Settings, wanted: Wanted) -> int:
    """Copy what is not here yet and say how much that was. Raises DeployError."""
    path = wanted.home / "state.db"
    if not path.is_file():
        raise DeployError(f"there is no {path}; name the Hermes home with --home")
    _check_profile(settings, wanted.profile)
    db = Database(settings.database_url)
    try:
        tally = _copy(db, path, wanted)
    except sqlite3.Error as error:
        raise DeployError(f"{path} cannot be read: {error}") from error
    except (DatabaseUnavailable, DBAPIError) as error:
        raise DeployError(
            "the database does not answer, or wants `holdfast migrate`; what was copied stays, "
            "and the same command goes on from there"
        ) from error
    finally:
        db.close()
    print(f"{'would import' if wanted.dry_run else 'imported'} {tally}")
    return 0


def _check_profile(settings: Settings, name: str) -> None:
    try:
        Profiles.load(settings).get(name)
    except UnknownProfile as error:
        raise DeployError(str(error)) from error


def _copy(db: Database, path: Path, wanted: Wanted) -> Tally:
    tally = Tally()
    here = db.read(lambda tx: complete(tx, wanted.owner))
    for session_id in _worth_keeping(session_ids(path), here, tally):
        chat = read_chat(path, session_id, wanted.profile)
        if chat is None:
            tally.empty += 1
        elif wanted.dry_run or _write(db, wanted.owner, chat):
            tally.sessions += 1
            tally.messages += len(chat.rows)
        else:
            tally.here += 1
    return tally


def _worth_keeping(names: list[str], here: set[str], tally: Tally) -> Iterator[str]:
    for name in names:
        if name.startswith(THROW_AWAY):
            tally.throw_away += 1
        elif name in here:
            tally.here += 1
        else:
            yield name


def _write(db: Database, owner: str, chat: Chat) -> bool:
    """False if somebody else has made the session meanwhile."""
    digest = hashlib.sha256(f"{owner}\0{chat.id}".encode()).hexdigest()
    usage_id = f"import_{digest[:32]}"
    step = Step.MORE
    while step is Step.MORE:
        step = db.write(partial(import_some, owner=owner, chat=chat, usage_id=usage_id))
    return step is Step.DONE
