"""Profiles: which gateway a session talks to. Knows files and settings, no network."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import urlsplit

from shared.errors import SettingsError, UnknownProfile
from shared.hermes.home import HermesEndpoint, main_endpoint, other_endpoints
from shared.settings import Settings

HistoryFormat = Literal["auto", "anthropic", "openai", "text"]
DEFAULT = "default"
UNSAID = -1  # max_runs as GATEWAY_MAX_RUNS has it


@dataclass(frozen=True)
class Profile:
    """One gateway. `context_length` is in tokens; None means: not configured. `home`: its Hermes
    home, if that is on this machine. `max_runs`: how many runs it gets at once from all workers
    together; 0: as many as there are (R7)."""

    name: str
    url: str
    api_key: str = field(default="", repr=False)
    context_length: int | None = None
    history_format: HistoryFormat = "auto"
    home: Path | None = None
    max_runs: int = 0


class Profiles:
    """The profiles of this installation, by name."""

    def __init__(self, profiles: Mapping[str, Profile]) -> None:
        self._profiles = dict(profiles)

    @classmethod
    def load(cls, settings: Settings) -> "Profiles":
        """What the Hermes home holds, the default profile as the settings have it; a profile that
        `PROFILES_FILE` names is as it says there.

        The file is TOML with one table per profile: `[profiles.work]`, keys `url`, `api_key`,
        `context_length`, `history_format`, `home`, `max_runs`. Raises SettingsError that names
        every fault.
        """
        places = other_endpoints(settings.hermes_home)
        places.pop(DEFAULT, None)
        profiles = {
            name: Profile(name, place.url, place.api_key, home=place.home, max_runs=UNSAID)
            for name, place in places.items()
        }
        main = main_endpoint(settings.hermes_home)
        profiles[DEFAULT] = _default(settings, main)
        if settings.profiles_file is not None:
            profiles |= _read_file(settings, places | ({DEFAULT: main} if main else {}))
        most = settings.gateway_max_runs
        return cls({name: _limited(profile, most) for name, profile in profiles.items()})

    def get(self, name: str) -> Profile:
        """The profile of that name. Raises UnknownProfile."""
        try:
            return self._profiles[name]
        except KeyError:
            raise UnknownProfile(f"There is no profile {name[:100]!r} on this server.") from None

    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted(self._profiles)


def _default(settings: Settings, place: HermesEndpoint | None) -> Profile:
    """The settings win; the home fills in what they leave open.

    The home's key goes only to the home's own gateway.
    """
    if place is None:
        return Profile(DEFAULT, settings.hermes_url, settings.hermes_api_key, max_runs=UNSAID)
    url = settings.hermes_url if settings.hermes_url_given else place.url
    theirs = url == place.url
    key = settings.hermes_api_key or (place.api_key if theirs else "")
    home = place.home if _belongs(url, place) else None
    return Profile(DEFAULT, url, key, home=home, max_runs=UNSAID)


def _belongs(url: str, place: HermesEndpoint) -> bool:
    """Whether the gateway may be the home's: one in a container has the port, not the host."""
    try:
        return (urlsplit(url).port or 80) == urlsplit(place.url).port
    except ValueError:
        return False


def _read_file(settings: Settings, places: Mapping[str, HermesEndpoint]) -> dict[str, Profile]:
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


_KEYS = {"url", "api_key", "context_length", "history_format", "home", "max_runs"}


def _profile(
    name: str, table: Mapping[str, object], place: HermesEndpoint | None, faults: list[str]
) -> Profile:
    unknown = set(table) - _KEYS
    url, length = table.get("url"), table.get("context_length")
    history_format = table.get("history_format", "auto")
    max_runs = table.get("max_runs", UNSAID)
    if unknown:
        faults.append(f"PROFILES_FILE: profile {name}: unknown keys {sorted(unknown)}")
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        faults.append(f"PROFILES_FILE: profile {name}: url must be an http(s) address")
    if length is not None and not (isinstance(length, int) and length > 0):
        faults.append(f"PROFILES_FILE: profile {name}: context_length must be a positive number")
    if history_format not in get_args(HistoryFormat):
        faults.append(f"PROFILES_FILE: profile {name}: history_format {history_format!r}")
    if max_runs != UNSAID and not (type(max_runs) is int and max_runs >= 0):
        faults.append(f"PROFILES_FILE: profile {name}: max_runs must be a number, 0 for no limit")
    return Profile(
        name=name,
        url=str(url).rstrip("/"),
        api_key=str(table.get("api_key", "")),
        context_length=length if isinstance(length, int) else None,
        history_format=history_format,  # type: ignore[arg-type]
        home=_home(table.get("home"), str(url), place),
        max_runs=max_runs if isinstance(max_runs, int) else UNSAID,
    )


def _limited(profile: Profile, most: int) -> Profile:
    return replace(profile, max_runs=most) if profile.max_runs == UNSAID else profile


def _home(named: object, url: str, place: HermesEndpoint | None) -> Path | None:
    if isinstance(named, str) and named:
        return Path(named).expanduser()
    return place.home if place is not None and _belongs(url, place) else None
