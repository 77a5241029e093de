"""`holdfast import`: copies the conversations of a Hermes home, or an exported session, into this
installation (P29)."""

import hashlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from deploy.commands.hermes_import import EPHEMERAL, read_chat, session_ids
from deploy.commands.import_file import read_file
from deploy.errors import DeployError
from shared.db.database import Database
from shared.db.sessions.import_session import Chat, Step, complete, import_some
from shared.errors import DatabaseUnavailable, UnknownProfile
from shared.hermes.profiles import Profiles
from shared.identifiers import is_identifier
from shared.settings import Settings
from shared.user_tokens import check_name


@dataclass(frozen=True)
class ImportOptions:
    """Source home, target profile and owner; `dry_run`: count only. `file`: an exported session,
    which is imported instead of the home."""

    home: Path
    profile: str
    owner: str
    dry_run: bool
    file: Path | None = None


@dataclass
class Counts:
    """Numbers of the home's sessions by result, and of the imported messages."""

    sessions: int = 0
    messages: int = 0
    present: int = 0
    ephemeral: int = 0
    empty: int = 0
    unnameable: int = 0

    def __str__(self) -> str:
        return (
            f"{self.sessions} sessions, {self.messages} messages; left out: {self.present} that "
            f"are here, {self.ephemeral} ephemeral ones, {self.empty} empty ones"
            + (f", {self.unnameable} whose id no client can send" if self.unnameable else "")
        )


def import_sessions(settings: Settings, options: ImportOptions) -> int:
    """Copy the sessions that are not here yet and print the counts. Raises DeployError."""
    path = options.home / "state.db"
    if options.file is None and not path.is_file():
        raise DeployError(f"there is no {path}; set --home to the Hermes home")
    if fault := check_name(options.owner):
        raise DeployError(f"--owner: {fault}")
    _check_profile(settings, options)
    chat = read_file(options.file, options.profile) if options.file is not None else None
    db = Database(settings.database_url)
    try:
        counts = _copy_one(db, chat, options) if chat else _copy(db, path, options)
    except sqlite3.Error as error:
        raise DeployError(f"{path} cannot be read: {error}") from error
    except (DatabaseUnavailable, DBAPIError) as error:
        raise DeployError(
            "the database does not answer, or its schema is out of date (`holdfast migrate`); "
            "what was imported stays, and the same command continues from there"
        ) from error
    finally:
        db.close()
    print(f"{'would import' if options.dry_run else 'imported'} {counts}")
    return 0


def _check_profile(settings: Settings, options: ImportOptions) -> None:
    """The sessions could not go on with a profile that does not exist, or that is not theirs."""
    try:
        Profiles.load(settings).getter_for(options.owner)(options.profile)
    except UnknownProfile as error:
        raise DeployError(f"{error} (or {options.owner} may not use it)") from error


def _copy(db: Database, path: Path, options: ImportOptions) -> Counts:
    counts = Counts()
    present = db.read(lambda tx: complete(tx, options.owner))
    for session_id in _new_sessions(session_ids(path), present, counts):
        chat = read_chat(path, session_id, options.profile)
        if chat is None:
            counts.empty += 1
        elif options.dry_run or _write(db, options.owner, chat):
            counts.sessions += 1
            counts.messages += len(chat.rows)
        else:
            counts.present += 1
    return counts


def _copy_one(db: Database, chat: Chat, options: ImportOptions) -> Counts:
    counts = Counts()
    present = db.read(lambda tx: complete(tx, options.owner))
    if chat.id not in present and (options.dry_run or _write(db, options.owner, chat)):
        counts.sessions, counts.messages = 1, len(chat.rows)
    else:
        counts.present = 1
    return counts


def _new_sessions(names: list[object], present: set[str], counts: Counts) -> Iterator[str]:
    for name in names:
        if not is_identifier(name):
            counts.unnameable += 1
        elif name.startswith(EPHEMERAL):
            counts.ephemeral += 1
        elif name in present:
            counts.present += 1
        else:
            yield name


def _write(db: Database, owner: str, chat: Chat) -> bool:
    """Import one conversation; False if the session was created by others meanwhile."""
    digest = hashlib.sha256(f"{owner}\0{chat.id}".encode()).hexdigest()
    usage_id = f"import_{digest[:32]}"
    step = Step.MORE
    while step is Step.MORE:
        step = db.write(partial(import_some, owner=owner, chat=chat, usage_id=usage_id))
    return step is Step.DONE
