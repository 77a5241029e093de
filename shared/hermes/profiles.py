"""Profiles: which gateway a session uses. Reads files and settings, not the network."""

import ssl
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
UNSET = -1  # max_runs: take that of GATEWAY_MAX_RUNS


@dataclass(frozen=True)
class Profile:
    """One gateway. `context_length`: in tokens, None if it is not configured. `home`: its Hermes
    home, if that is on this machine. `max_runs`: how many live runs it may have, of all workers
    together; 0: any number (R7). `ca_file`: the authorities whose certificates are trusted instead
    of the public ones, a file or a folder."""

    name: str
    url: str
    api_key: str = field(default="", repr=False)
    context_length: int | None = None
    history_format: HistoryFormat = "auto"
    home: Path | None = None
    max_runs: int = 0
    ca_file: Path | None = None


class Profiles:
    """The profiles of this installation, by name."""

    def __init__(self, profiles: Mapping[str, Profile]) -> None:
        self._profiles = dict(profiles)

    @classmethod
    def load(cls, settings: Settings) -> "Profiles":
        """Load the profiles of the Hermes home, the default profile as the settings say; those in
        `PROFILES_FILE` replace them.

        The file is TOML with one table per profile: `[profiles.work]`, keys `url`, `api_key`,
        `context_length`, `history_format`, `home`, `max_runs`, `ca_file`. Raises SettingsError
        that names every fault.
        """
        found = other_endpoints(settings.hermes_home)
        found.pop(DEFAULT, None)
        profiles = {
            name: Profile(name, one.url, one.api_key, home=one.home, max_runs=UNSET)
            for name, one in found.items()
        }
        main = main_endpoint(settings.hermes_home)
        profiles[DEFAULT] = _default(settings, main)
        if settings.profiles_file is not None:
            profiles |= _read_file(settings, found | ({DEFAULT: main} if main else {}))
        _check_authorities(settings, profiles)
        return cls({name: _completed(one, settings) for name, one in profiles.items()})

    def get(self, name: str) -> Profile:
        """Return the profile of this name. Raises UnknownProfile."""
        try:
            return self._profiles[name]
        except KeyError:
            raise UnknownProfile(f"There is no profile {name[:100]!r} on this server.") from None

    def names(self) -> list[str]:
        """Return all names, sorted."""
        return sorted(self._profiles)


def _default(settings: Settings, endpoint: HermesEndpoint | None) -> Profile:
    """Settings go before the home. The key of the home goes only to the gateway of the home."""
    if endpoint is None:
        return Profile(DEFAULT, settings.hermes_url, settings.hermes_api_key, max_runs=UNSET)
    url = settings.hermes_url if settings.hermes_url_given else endpoint.url
    is_same = url == endpoint.url
    key = settings.hermes_api_key or (endpoint.api_key if is_same else "")
    home = endpoint.home if _belongs(url, endpoint) else None
    return Profile(DEFAULT, url, key, home=home, max_runs=UNSET)


def _belongs(url: str, endpoint: HermesEndpoint) -> bool:
    """Whether the gateway may be that of the home: in a container it has the port, not the host."""
    try:
        return (urlsplit(url).port or 80) == urlsplit(endpoint.url).port
    except ValueError:
        return False


def _read_file(settings: Settings, found: Mapping[str, HermesEndpoint]) -> dict[str, Profile]:
    assert settings.profiles_file is not None
    try:
        tables = tomllib.loads(settings.profiles_file.read_text("utf-8")).get("profiles", {})
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise SettingsError([f"PROFILES_FILE: {error}"]) from error
    faults: list[str] = []
    profiles = {
        name: _profile(name, table, found.get(name), faults) for name, table in tables.items()
    }
    if faults:
        raise SettingsError(faults)
    return profiles


_KEYS = {"url", "api_key", "context_length", "history_format", "home", "max_runs", "ca_file"}


def _profile(
    name: str, table: Mapping[str, object], endpoint: HermesEndpoint | None, faults: list[str]
) -> Profile:
    unknown = set(table) - _KEYS
    url, length = table.get("url"), table.get("context_length")
    history_format = table.get("history_format", "auto")
    max_runs = table.get("max_runs", UNSET)
    if unknown:
        faults.append(f"PROFILES_FILE: profile {name}: unknown keys {sorted(unknown)}")
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        faults.append(f"PROFILES_FILE: profile {name}: url must be an http(s) address")
    if length is not None and not (isinstance(length, int) and length > 0):
        faults.append(f"PROFILES_FILE: profile {name}: context_length must be a positive number")
    if history_format not in get_args(HistoryFormat):
        faults.append(f"PROFILES_FILE: profile {name}: history_format {history_format!r}")
    if max_runs != UNSET and not (type(max_runs) is int and max_runs >= 0):
        faults.append(f"PROFILES_FILE: profile {name}: max_runs must be a number, 0 for no limit")
    return Profile(
        name=name,
        url=str(url).rstrip("/"),
        api_key=str(table.get("api_key", "")),
        context_length=length if isinstance(length, int) else None,
        history_format=history_format,  # type: ignore[arg-type]
        home=_home(table.get("home"), str(url), endpoint),
        max_runs=max_runs if isinstance(max_runs, int) else UNSET,
        ca_file=_path(table.get("ca_file")),
    )


def _path(named: object) -> Path | None:
    return Path(named).expanduser() if isinstance(named, str) and named else None


def _completed(profile: Profile, settings: Settings) -> Profile:
    """The profile with the settings of the installation where it has none of its own."""
    most = settings.gateway_max_runs if profile.max_runs == UNSET else profile.max_runs
    return replace(profile, max_runs=most, ca_file=profile.ca_file or settings.gateway_ca_file)


def _check_authorities(settings: Settings, profiles: Mapping[str, Profile]) -> None:
    """Raise SettingsError for certificates that cannot be read: no request could be made."""
    named = {
        f"PROFILES_FILE: profile {one.name}: ca_file": one.ca_file for one in profiles.values()
    }
    faults = [
        f"{name}: no certificates in {path}"
        for name, path in {"GATEWAY_CA_FILE": settings.gateway_ca_file, **named}.items()
        if path is not None and not _has_certificates(path)
    ]
    if faults:
        raise SettingsError(faults)


def _has_certificates(path: Path) -> bool:
    try:
        if path.is_dir():
            return True  # read as certificates are needed
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except (OSError, ValueError):  # also ssl.SSLError
        return False
    return True


def _home(named: object, url: str, endpoint: HermesEndpoint | None) -> Path | None:
    if (path := _path(named)) is not None:
        return path
    return endpoint.home if endpoint is not None and _belongs(url, endpoint) else None
