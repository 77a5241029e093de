"""Profiles: which gateway a session uses. Reads files and settings, not the network."""

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import urlsplit

from shared import addresses, plain_file, toml_file
from shared.errors import SettingsError, UnknownProfile
from shared.hermes.home import HermesEndpoint, main_endpoint, other_endpoints
from shared.hermes.profile_access import ProfileAccess
from shared.settings import Settings
from shared.user_tokens import NOBODY

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
    """The profiles of this installation, by name, and who may use them."""

    def __init__(
        self, profiles: Mapping[str, Profile], access: ProfileAccess | None = None
    ) -> None:
        """`access`: None lets everybody use every profile."""
        self._profiles = dict(profiles)
        self._access = access

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
        _check_keys(profiles)
        _check_authorities(settings, profiles)
        access = None
        if settings.tokens_file:
            access = ProfileAccess(settings.tokens_file, has_others=settings.has_jwt)
        return cls({name: _completed(one, settings) for name, one in profiles.items()}, access)

    def get(self, name: str) -> Profile:
        """Return the profile of this name. Raises UnknownProfile."""
        try:
            return self._profiles[name]
        except KeyError:
            raise _unknown(name) from None

    def getter_for(self, owner: str) -> Callable[[str], Profile]:
        """Return a `get` for runs of this user: a profile that they may not use is as unknown as
        one that does not exist. It reads no file, so a transaction may call it."""
        file = self._access.current() if self._access is not None else None

        def get(name: str) -> Profile:
            if file is not None and not file.may_use(owner, name):
                raise _unknown(name)
            return self.get(name)

        return get

    def names_for(self, owner: str) -> list[str]:
        """Return the names that this user may use, sorted."""
        file = self._access.current() if self._access is not None else None
        return [name for name in self.names() if file is None or file.may_use(owner, name)]

    def may_still_use(self, owner: str, name: str) -> bool:
        """Whether a run that was accepted may be posted now: the right may have been taken away
        meanwhile. A process that could never read the file leaves that to those who accept runs."""
        file = self._access.current() if self._access is not None else NOBODY
        return file is NOBODY or file.may_use(owner, name)

    def names(self) -> list[str]:
        """Return all names, sorted."""
        return sorted(self._profiles)


def _unknown(name: str) -> UnknownProfile:
    return UnknownProfile(f"There is no profile {name[:100]!r} on this server.")


def _check_keys(profiles: Mapping[str, Profile]) -> None:
    """The keys of a Hermes home come from its files. Raises SettingsError."""
    faults = []
    for profile in profiles.values():
        try:
            addresses.api_key(profile.api_key)
        except ValueError as error:
            faults.append(f"HERMES_HOME: the API key of profile {profile.name} {error}")
    if faults:
        raise SettingsError(faults)


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
    path = settings.profiles_file
    try:
        file = toml_file.parse(plain_file.read(path))
    except OSError as error:
        raise SettingsError([f"PROFILES_FILE: {path}: {error.strerror}"]) from error
    except ValueError as error:
        raise SettingsError([f"PROFILES_FILE: {path} {error}"]) from error
    tables = file.get("profiles", {})
    if set(file) - {"profiles"} or not _is_table_of_tables(tables):
        raise SettingsError([f"PROFILES_FILE: {path}: needs tables [profiles.NAME], nothing else"])
    faults: list[str] = []
    profiles = {
        name: _profile(name, table, found.get(name), faults) for name, table in tables.items()
    }
    if faults:
        raise SettingsError(faults)
    return profiles


def _is_table_of_tables(value: object) -> bool:
    return isinstance(value, Mapping) and all(isinstance(one, Mapping) for one in value.values())


_KEYS = {"url", "api_key", "context_length", "history_format", "home", "max_runs", "ca_file"}


def _profile(
    name: str, table: Mapping[str, object], endpoint: HermesEndpoint | None, faults: list[str]
) -> Profile:
    unknown = set(table) - _KEYS
    where = f"PROFILES_FILE: profile {name}"
    url = _parsed(table, "url", addresses.gateway_url, faults, where)
    length = table.get("context_length")
    history_format = table.get("history_format", "auto")
    max_runs = table.get("max_runs", UNSET)
    if unknown:
        faults.append(f"PROFILES_FILE: profile {name}: unknown keys {sorted(unknown)}")
    if not table.get("url"):
        faults.append(f"{where}: url is missing")
    if length is not None and not (type(length) is int and length > 0):
        faults.append(f"PROFILES_FILE: profile {name}: context_length must be a positive number")
    if history_format not in get_args(HistoryFormat):
        faults.append(f"PROFILES_FILE: profile {name}: history_format {history_format!r}")
    if not isinstance(table.get("home", ""), str):
        faults.append(f"{where}: home must be a path")
    if "max_runs" in table and not (type(max_runs) is int and max_runs >= 0):
        faults.append(f"PROFILES_FILE: profile {name}: max_runs must be a number, 0 for no limit")
    return Profile(
        name=name,
        url=url,
        api_key=_parsed(table, "api_key", addresses.api_key, faults, where),
        context_length=length if isinstance(length, int) else None,
        history_format=history_format,  # type: ignore[arg-type]
        home=_home(table.get("home"), url, endpoint),
        max_runs=max_runs if isinstance(max_runs, int) else UNSET,
        ca_file=_path(table.get("ca_file")),
    )


def _parsed(
    table: Mapping[str, object],
    key: str,
    parse: Callable[[str], str],
    faults: list[str],
    where: str,
) -> str:
    value = table.get(key, "")
    try:
        if not isinstance(value, str):
            raise ValueError("must be text, in quotes")
        return parse(value) if value else ""
    except ValueError as error:
        faults.append(f"{where}: {key} {error}")
        return ""


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
        plain_file.open_plain(path).close()
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except (OSError, ValueError):  # also ssl.SSLError
        return False
    return True


def _home(named: object, url: str, endpoint: HermesEndpoint | None) -> Path | None:
    if (path := _path(named)) is not None:
        return path
    return endpoint.home if endpoint is not None and _belongs(url, endpoint) else None
