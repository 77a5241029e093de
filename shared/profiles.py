"""Profiles: which gateway a session talks to. Knows files and settings, no network."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import urlsplit

from shared.errors import SettingsError, UnknownProfile
from shared.hermes_home import Place, main_place, other_places
from shared.settings import Settings

HistoryFormat = Literal["auto", "anthropic", "openai", "text"]
DEFAULT = "default"


@dataclass(frozen=True)
class Profile:
    """One gateway. `context_length` is in tokens; None means: not configured. `home`: its Hermes
    home, if that is on this machine."""

    name: str
    url: str
    api_key: str = field(default="", repr=False)
    context_length: int | None = None
    history_format: HistoryFormat = "auto"
    home: Path | None = None


class Profiles:
    """The profiles of this installation, by name."""

    def __init__(self, profiles: Mapping[str, Profile]) -> None:
        self._profiles = dict(profiles)

    @classmethod
    def load(cls, settings: Settings) -> "Profiles":
        """What the Hermes home holds, the default profile as the settings have it; a profile that
        `PROFILES_FILE` names is as it says there.

        The file is TOML with one table per profile: `[profiles.work]`, keys `url`, `api_key`,
        `context_length`, `history_format`, `home`. Raises SettingsError that names every fault.
        """
        places = other_places(settings.hermes_home)
        places.pop(DEFAULT, None)
        profiles = {
            name: Profile(name, place.url, place.api_key, home=place.home)
            for name, place in places.items()
        }
        main = main_place(settings.hermes_home)
        profiles[DEFAULT] = _default(settings, main)
        if settings.profiles_file is not None:
            profiles |= _read_file(settings, places | ({DEFAULT: main} if main else {}))
        return cls(profiles)

    def get(self, name: str) -> Profile:
        """The profile of that name. Raises UnknownProfile."""
        try:
            return self._profiles[name]
        except KeyError:
            raise UnknownProfile(f"There is no profile {name[:100]!r} on this server.") from None

    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted(self._profiles)


def _default(settings: Settings, place: Place | None) -> Profile:
    """The settings win; the home fills in what they leave open.

    The home's key goes only to the home's own gateway.
    """
    if place is None:
        return Profile(DEFAULT, settings.hermes_url, settings.hermes_api_key)
    url = settings.hermes_url if settings.hermes_url_given else place.url
    theirs = url == place.url
    key = settings.hermes_api_key or (place.api_key if theirs else "")
    return Profile(DEFAULT, url, key, home=place.home if _belongs(url, place) else None)


def _belongs(url: str, place: Place) -> bool:
    """Whether the gateway may be the home's: one in a container has the port, not the host."""
    try:
        return (urlsplit(url).port or 80) == urlsplit(place.url).port
    except ValueError:
        return False


def _read_file(settings: Settings, places: Mapping[str, Place]) -> dict[str, Profile]:
    assert settings.profiles_file is not None
    try:
        tables = tomllib.loads(settings.profiles_file.read_text("utf-8")).get("profiles", {})
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise SettingsError([f"PROFILES_FILE: {error}"]) from error
    faults: list[str] = []
    profiles = {
        name: _profile(name, table, places.get(name), faults) for name, table in tables.items()
    }
    if faults:
        raise SettingsError(faults)
    return profiles


_KEYS = {"url", "api_key", "context_length", "history_format", "home"}


def _profile(
    name: str, table: Mapping[str, object], place: Place | None, faults: list[str]
) -> Profile:
    unknown = set(table) - _KEYS
    url, length = table.get("url"), table.get("context_length")
    history_format = table.get("history_format", "auto")
    if unknown:
        faults.append(f"PROFILES_FILE: profile {name}: unknown keys {sorted(unknown)}")
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        faults.append(f"PROFILES_FILE: profile {name}: url must be an http(s) address")
    if length is not None and not (isinstance(length, int) and length > 0):
        faults.append(f"PROFILES_FILE: profile {name}: context_length must be a positive number")
    if history_format not in get_args(HistoryFormat):
        faults.append(f"PROFILES_FILE: profile {name}: history_format {history_format!r}")
    return Profile(
        name=name,
        url=str(url).rstrip("/"),
        api_key=str(table.get("api_key", "")),
        context_length=length if isinstance(length, int) else None,
        history_format=history_format,  # type: ignore[arg-type]
        home=_home(table.get("home"), str(url), place),
    )


def _home(named: object, url: str, place: Place | None) -> Path | None:
    if isinstance(named, str) and named:
        return Path(named).expanduser()
    return place.home if place is not None and _belongs(url, place) else None
