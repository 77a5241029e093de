"""Which profiles users may use, by `TOKENS_FILE`, which is read again when it changes."""

import logging
from dataclasses import replace
from pathlib import Path

from shared.errors import SettingsError
from shared.user_tokens import NOBODY, Stamp, UserFile, read_all

log = logging.getLogger(__name__)


class ProfileAccess:
    """Reads the file when it is asked for. A faulty file is logged, and the last valid one stays in
    force; before there was one, nobody may use anything."""

    def __init__(self, path: Path, *, has_others: bool = False) -> None:
        """`has_others`: there are users who are not in the file."""
        self._path = path
        self._has_others = has_others
        self._file = NOBODY
        self._stamp: Stamp | None = None

    def current(self) -> UserFile:
        """Return what the file says now."""
        try:
            if Stamp.of(self._path.stat()) != self._stamp:
                file, stamp = read_all(self._path)
                self._file = replace(file, has_others=self._has_others)
                self._stamp = stamp.if_settled()
        except SettingsError as error:
            log.error("tokens.unreadable error=%s", "; ".join(error.faults))
        except OSError as error:
            log.error("tokens.unreadable error=%s", type(error).__name__)
        return self._file
