"""Where the public keys of JWTs come from: a file, or a URL that is read now and then.

Problem: issuers replace their keys without notice, their servers fail, and anybody can send a
token with the name of a key that does not exist. Idea: the last keys that could be read stay in
force; a thread of its own reads the URL every few minutes, and sooner for an unknown name, but not
more often than every `PAUSE` seconds; only a token that could be the first of a new key waits for
it. Invariant: whatever a URL does, the check of a token waits at most `WITHIN`, and a flood of
tokens causes one reading in `PAUSE` seconds.
"""

import logging
import os
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from shared.errors import SettingsError, Unavailable
from shared.net.fetch import fetch
from shared.plain_file import open_plain
from shared.service import Service
from shared.user_tokens import Stamp
from web.access.keys import MOST_BYTES, Key, parse_keys

log = logging.getLogger(__name__)

EVERY: Final = 300.0  # seconds after which keys are read again
PAUSE: Final = 30.0  # seconds between two readings, however many unknown keys are named
WITHIN: Final = 5.0  # seconds for one reading
WRITABLE: Final = 0o022  # who can write the file can be any user


class KeysUnavailable(Unavailable):
    """The keys that tokens are checked with could not be read yet; try again shortly."""


class KeySource(Protocol):
    """Has the keys of one issuer."""

    def find(self, algorithm: str, kid: str | None) -> list[Key]:
        """The keys that a token which says so may be signed with. Raises KeysUnavailable."""

    def thumbprints(self) -> list[str] | None:
        """Those of all keys; None while none could be read yet."""


def matching(keys: tuple[Key, ...], algorithm: str, kid: str | None) -> list[Key]:
    """Those of the algorithm and, if the token names one, of that name."""
    return [k for k in keys if k.algorithm == algorithm and (kid is None or k.kid == kid)]


def read_key_file(path: Path) -> tuple[tuple[Key, ...], Stamp]:
    """Read the file, and its stamp. Raises SettingsError."""
    try:
        with open_plain(path) as file:
            status = os.fstat(file.fileno())
            if status.st_mode & WRITABLE and stat.S_ISREG(status.st_mode):
                fault = f"has mode {status.st_mode & 0o777:o}; chmod go-w {path}"
                raise SettingsError([f"JWT_JWKS_FILE: {path} {fault}"])
            return parse_keys(file.read(MOST_BYTES)), Stamp.of(status)
    except OSError as error:
        raise SettingsError([f"JWT_JWKS_FILE: {path}: {error.strerror}"]) from error
    except ValueError as error:
        raise SettingsError([f"JWT_JWKS_FILE: {path} {error}"]) from error


class KeyFile:
    """Keys of a file, which is read again when it changes. A faulty one is logged and ignored."""

    def __init__(self, path: Path) -> None:
        """Raises SettingsError if the file cannot be used."""
        self._path = path
        self._keys, stamp = read_key_file(path)
        self._stamp = stamp.if_settled()

    def find(self, algorithm: str, kid: str | None) -> list[Key]:
        self._reload()
        return matching(self._keys, algorithm, kid)

    def thumbprints(self) -> list[str] | None:
        self._reload()
        return [key.thumbprint for key in self._keys]

    def _reload(self) -> None:
        try:
            if Stamp.of(self._path.stat()) == self._stamp:
                return
            self._keys, stamp = read_key_file(self._path)
            self._stamp = stamp.if_settled()
        except SettingsError as error:
            log.error("jwks.unreadable error=%s", "; ".join(error.faults))
        except OSError as error:
            log.error("jwks.unreadable error=%s", type(error).__name__)


class KeyUrl:
    """Keys of a URL. `service` reads them."""

    def __init__(
        self,
        url: str,
        *,
        every: float = EVERY,
        pause: float = PAUSE,
        within: float = WITHIN,
        read: Callable[..., bytes] = fetch,
    ) -> None:
        """`read(url, seconds=, most=)` returns the document."""
        self.service = Service("jwks", self._run, wake=self._wake)
        self._url = url
        self._every, self._pause, self._within = every, pause, within
        self._read = read
        self._keys: tuple[Key, ...] = ()
        self._changed = threading.Condition()
        self._wanted = threading.Event()
        self._readings = 0  # that have ended
        self._began = float("-inf")  # when the last one did, monotonic
        self._is_reading = False

    def find(self, algorithm: str, kid: str | None) -> list[Key]:
        found = matching(self._keys, algorithm, kid)
        if not found and self._await_reading():
            found = matching(self._keys, algorithm, kid)
        if not found and not self._keys:
            raise KeysUnavailable
        return found

    def thumbprints(self) -> list[str] | None:
        return [key.thumbprint for key in self._keys] or None

    def read_now(self) -> None:
        """Read the URL. A failure changes nothing but the log."""
        self._is_reading, self._began = True, time.monotonic()
        try:
            keys = parse_keys(self._read(self._url, seconds=self._within, most=MOST_BYTES))
            if {key.thumbprint for key in keys} != {key.thumbprint for key in self._keys}:
                log.info("jwks.changed keys=%s", len(keys))
            self._keys = keys
        except OSError as error:
            log.warning("jwks.unreachable error=%s kept=%s", type(error).__name__, len(self._keys))
        except ValueError as error:
            log.warning("jwks.unusable error=%s kept=%s", error, len(self._keys))
        except Exception:  # the edge of the loop: whatever an issuer sends, the process goes on
            log.exception("jwks.failed kept=%s", len(self._keys))
        finally:
            with self._changed:
                self._is_reading = False
                self._readings += 1
                self._changed.notify_all()

    def _await_reading(self) -> bool:
        """Wait for the reading under way, or for a new one if it is time for one; whether there
        was one."""
        with self._changed:
            before = self._readings
            if not self._is_reading:
                if time.monotonic() - self._began < self._pause:
                    return False
                self._wanted.set()
            return self._changed.wait_for(lambda: self._readings > before, self._within)

    def _run(self) -> None:
        while not self.service.stopping:
            self._wanted.clear()
            self.read_now()
            if not self.service.stopping:
                self._wanted.wait(self._every if self._keys else self._pause)

    def _wake(self) -> None:
        self._wanted.set()
