"""Reads environment variables into values, and collects what is wrong with all of them.

Knows how variables are spelled, and not which there are: `shared/settings.py` does.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final, TypeVar

from shared.errors import SettingsError

T = TypeVar("T")

SHOWN: Final = 80  # characters of a wrong value
MOST_SECONDS: Final = 10**9
MOST_DAYS: Final = 36_500
_QUOTED: Final = re.compile(r"""(["']).*\1""", re.DOTALL)
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER: Final = re.compile(
    r"[+-]?([0-9]{1,18}(\.[0-9]*)?|\.[0-9]+)(e[+-]?[0-9]{1,2})?", re.IGNORECASE
)


class VariableReader:
    """Reads variables and collects what is wrong with them."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._faults: list[str] = []

    def finish(self) -> None:
        if self._faults:
            raise SettingsError(self._faults)

    def require(self, holds: bool, fault: str) -> None:
        if not holds:
            self._faults.append(fault)

    def text(self, name: str, default: str) -> str:
        """The value without the quotes that files of variables may keep around it."""
        value = self._environ.get(name, "").strip()
        if _QUOTED.fullmatch(value):
            value = value[1:-1].strip()
        return value or default

    def token(self, name: str) -> str:
        """A secret that others have to write in the same way, so nothing is taken off."""
        value = self._environ.get(name, "").strip()
        self.require(
            not _QUOTED.fullmatch(value), f"{name}: has quotes around it; write it without them"
        )
        self.require(
            not re.search(r"[\x00-\x1f\x7f\ud800-\udfff]", value),
            f"{name}: has a control character or one that is not in UTF-8; choose another",
        )
        return value

    def flag(self, name: str) -> bool:
        value = self.text(name, "0").lower()
        self.require(
            value in {"0", "1", "true", "false"},
            f"{name}: {_shown(value)} is neither 1/true nor 0/false",
        )
        return value in {"1", "true"}

    def words(self, name: str, default: str = "") -> tuple[str, ...]:
        return tuple(word.strip() for word in self.text(name, default).split(",") if word.strip())

    def days_by_name(self, name: str) -> dict[str, float]:
        """`alice=30,bob=0.5`: a number of days for each name."""
        found: dict[str, float] = {}
        for word in self.words(name):
            key, _, value = word.rpartition("=")
            if not key or not _NUMBER.fullmatch(value) or not 0 <= float(value) <= MOST_DAYS:
                self._faults.append(f"{name}: {_shown(word)} is not like alice=30, in days")
                continue
            found[key.strip()] = float(value)
        return found

    def days(self, name: str, default: float) -> float:
        value = self._convert(name, float, _NUMBER, default)
        self.require(
            0 <= value <= MOST_DAYS, f"{name}: {value:g} days is not from 0 to {MOST_DAYS}"
        )
        return value

    def networks(self, name: str) -> tuple[str, ...]:
        for word in (words := self.words(name)):
            try:
                ipaddress.ip_network(word, strict=False)
            except ValueError:
                self._faults.append(
                    f"{name}: {_shown(word)} is no network; write it like 10.0.0.0/8"
                )
        return words

    def name(self, name: str, default: str) -> str:
        value = self.text(name, default)
        self.require(
            bool(re.fullmatch(r"[a-z0-9]{1,12}", value)),
            f"{name}: up to 12 of a-z and 0-9, not {_shown(value)}",
        )
        return value

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        value = self.text(name, default).upper()
        self.require(
            value in allowed, f"{name}: {_shown(value)} is not one of {', '.join(allowed)}"
        )
        return value

    def path(self, name: str, default: str) -> Path:
        return self._expanded(name, self.text(name, default))

    def optional_path(self, name: str) -> Path | None:
        value = self.text(name, "")
        return self._expanded(name, value) if value else None

    def _expanded(self, name: str, value: str) -> Path:
        try:
            return Path(value).expanduser()
        except RuntimeError:
            self._faults.append(
                f"{name}: {_shown(value)}: there is no such account, or it has no folder; write "
                "the whole path"
            )
            return Path(value)

    def all_parsed(self, name: str, parse: Callable[[str], str]) -> tuple[str, ...]:
        return tuple(self._parse(name, value, parse) for value in self.words(name))

    def parsed(self, name: str, default: str, parse: Callable[[str], str]) -> str:
        """`parse` returns the value in its one spelling, or raises ValueError with what to do."""
        return self._parse(name, self.text(name, default), parse)

    def _parse(self, name: str, value: str, parse: Callable[[str], str]) -> str:
        try:
            return parse(value) if value else ""
        except ValueError as error:
            self._faults.append(f"{name}: {error}")
            return ""

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        value = self._convert(name, int, _INTEGER, default)
        self.require(low <= value <= high, f"{name}: {value} is not from {low} to {high}")
        return value

    def seconds(self, name: str, default: float, low: float) -> timedelta:
        value = self._convert(name, float, _NUMBER, default)
        self.require(value >= low, f"{name}: {value:g} seconds is below {low:g}")
        self.require(value < MOST_SECONDS, f"{name}: {value:g} seconds is too much")
        return timedelta(seconds=value if low <= value < MOST_SECONDS else default)

    def _convert(self, name: str, to: Callable[[str], T], syntax: re.Pattern[str], default: T) -> T:
        value = self.text(name, "")
        if not value:
            return default
        if not syntax.fullmatch(value):
            self._faults.append(
                f"{name}: {_shown(value)} is not a number; write digits only, without a unit"
            )
            return default
        return to(value)


def _shown(value: str) -> str:
    return repr(value if len(value) <= SHOWN else f"{value[:SHOWN]}…")
