"""The folder that holds everything a machine-local Holdfast keeps (HOLDFAST_HOME)."""

import fcntl
import os
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path

from deploy.errors import DeployError, HomeBusyError


@dataclass(frozen=True)
class Home:
    """Paths inside the home; nothing is created by asking for them."""

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
    """The home at `path`, made with mode 0700 if it is not there. Raises DeployError."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise DeployError(
            f"cannot make {path}: {error.strerror}; name another folder in HOLDFAST_HOME"
        ) from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise DeployError(f"cannot write to {path}; name another folder in HOLDFAST_HOME")
    return Home(path.resolve())


def secret(path: Path) -> str:
    """The secret kept in `path` (mode 0600), made at the first call; processes may race here."""
    if not path.exists():
        _publish(path, secrets.token_urlsafe(32))
    kept = path.read_text().strip()
    if not kept:
        raise DeployError(f"{path} is empty; delete it and start again")
    return kept


def _publish(path: Path, content: str) -> None:
    """Write `content` so that whoever sees the file sees all of it; the first writer wins."""
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
    """The right to run on a home; whoever holds its descriptor open holds the right."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self.descriptor = os.open(home.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def take(self) -> None:
        """Take it, or raise HomeBusyError that tells who has it."""
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self.descriptor, 500, 0).decode(errors="replace").strip()
            self.close()
            raise HomeBusyError(
                f"Holdfast already runs on {self._home.path} ({holder}); "
                "stop it first or name another folder in HOLDFAST_HOME"
            ) from None
        self.describe("starting")

    def describe(self, text: str) -> None:
        """What the next one who asks is told, beside our pid."""
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, f"pid {os.getpid()}, {text}".encode(), 0)

    def close(self) -> None:
        """Give it back, once every process that inherited the descriptor has closed it too."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
