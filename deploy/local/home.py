"""HOLDFAST_HOME: the folder with the data of a Holdfast that `holdfast up` runs."""

import contextlib
import fcntl
import os
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path

from deploy.errors import DeployError, HomeBusyError
from shared import plain_file, toml_file


@dataclass(frozen=True)
class Home:
    """Paths inside the home. Reading them creates nothing."""

    path: Path

    @property
    def token_file(self) -> Path:
        return self.path / "token"

    @property
    def lock_file(self) -> Path:
        return self.path / "up.lock"

    @property
    def redis(self) -> Path:
        return self.path / "redis"


def open_home(path: Path) -> Home:
    """Return the home at `path`, created with mode 0700 if missing. Raises DeployError."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise DeployError(
            f"cannot create {path}: {error.strerror}; set HOLDFAST_HOME to another folder"
        ) from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise DeployError(f"cannot write to {path}; set HOLDFAST_HOME to another folder")
    return Home(path.resolve())


def secret(path: Path) -> str:
    """Return the secret in `path` (mode 0600), created at the first call; safe against races."""
    if not path.exists():
        _publish(path, secrets.token_urlsafe(32))
    try:
        stored = toml_file.decode(plain_file.read(path)).strip()
    except ValueError as error:
        raise DeployError(f"{path} {error}; delete it and start again") from None
    if not stored or not stored.isprintable():
        raise DeployError(f"{path} is empty or damaged; delete it and start again")
    return stored


def _publish(path: Path, content: str) -> None:
    """Write `content` atomically: the file appears whole, and the first writer wins."""
    descriptor, draft = tempfile.mkstemp(dir=path.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(content + "\n")
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        Path(draft).unlink()


class HomeLock:
    """An exclusive lock on a home; held by every process that has its descriptor open."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self.descriptor = os.open(home.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def acquire(self) -> None:
        """Acquire the lock. Raises HomeBusyError, which names the process that holds it."""
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self.descriptor, 500, 0).decode(errors="replace").strip()
            self.close()
            raise HomeBusyError(
                f"Holdfast already runs on {self._home.path} ({holder}); "
                "stop it first, or set HOLDFAST_HOME to another folder"
            ) from None
        self.describe("starting")

    def describe(self, text: str) -> None:
        """Set the text that the HomeBusyError of another process shows, beside our pid. On a full
        disk there is none."""
        with contextlib.suppress(OSError):
            os.ftruncate(self.descriptor, 0)
            os.pwrite(self.descriptor, f"pid {os.getpid()}, {text}".encode(), 0)

    def close(self) -> None:
        """Close our descriptor; the lock is free once child processes have closed theirs, too."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
