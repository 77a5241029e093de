"""Profiles: which gateway a session talks to. Knows files and settings, no network."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from shared.errors import SettingsError, UnknownProfile
from shared.settings import Settings

HistoryFormat = Literal["auto", "anthropic", "openai", "text"]
DEFAULT = "default"


@dataclass(frozen=True)
class Profile:
    """One gateway. `context_length` is in tokens; None means: not configured."""

    name: str
    url: str
    api_key: str = field(default="", repr=False)
    context_length: int | None = None
    history_format: HistoryFormat = "auto"


class Profiles:
    """The profiles of this installation, by name."""

    def __init__(self, profiles: Mapping[str, Profile]) -> None:
        self._profiles = dict(profiles)

    @classmethod
    def load(cls, settings: Settings) -> "Profiles":
        """The default profile from the settings, and what `PROFILES_FILE` names.

        The file is TOML with one table per profile: `[profiles.work]`, keys `url`, `api_key`,
        `context_length`, `history_format`. Raises SettingsError that names every fault.
        """
        default = Profile(DEFAULT, settings.hermes_url, settings.hermes_api_key)
        profiles = {DEFAULT: default}
        if settings.profiles_file is not None:
            profiles |= _read_file(settings)
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


def _read_file(settings: Settings) -> dict[str, Profile]:
    assert settings.profiles_file is not None
    try:
        tables = tomllib.loads(settings.profiles_file.read_text("utf-8")).get("profiles", {})
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise SettingsError([f"PROFILES_FILE: {error}"]) from error
    faults: list[str] = []
    profiles = {name: _profile(name, table, faults) for name, table in tables.items()}
    if faults:
        raise SettingsError(faults)
    return profiles


def _profile(name: str, table: Mapping[str, object], faults: list[str]) -> Profile:
    unknown = set(table) - {"url", "api_key", "context_length", "history_format"}
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
    )
