"""Finding gateways in a Hermes home on this machine: their addresses and keys.

A home is a directory with `config.yaml` and `.env`. The installation's home holds the default
profile itself, and the others in `profiles/<name>/`, each of which is a home again. A file that
cannot be read is logged and counts as empty.
"""

import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import yaml

from shared import plain_file, toml_file

log = logging.getLogger(__name__)

PORT: Final = 8642  # where a gateway listens by default
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_ENV_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*")
_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_ANY_ADDRESS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 (theirs)


@dataclass(frozen=True)
class HermesEndpoint:
    """A home, and URL and key of its gateway. `configured`: its files name a port or a key."""

    home: Path
    url: str
    api_key: str = field(repr=False)
    configured: bool


def main_endpoint(root: Path) -> HermesEndpoint | None:
    """Return the gateway of the default profile; None if there is no such directory."""
    return _endpoint(root) if root.is_dir() else None


def other_endpoints(root: Path) -> dict[str, HermesEndpoint]:
    """Return profile name -> gateway of the other profiles.

    Homes whose files configure no gateway are left out: they would get the default address, which
    is that of the default profile.
    """
    found = {name: _endpoint(home) for name, home in _other_homes(root).items()}
    for name in sorted(name for name, endpoint in found.items() if not endpoint.configured):
        log.info("profile.without_gateway name=%s home=%s", name, found[name].home)
    return {name: endpoint for name, endpoint in found.items() if endpoint.configured}


def _other_homes(root: Path) -> dict[str, Path]:
    try:
        entries = sorted(path for path in (root / "profiles").iterdir() if path.is_dir())
    except OSError:
        return {}
    return {path.name: path for path in entries if _NAME.fullmatch(path.name)}


def _endpoint(home: Path) -> HermesEndpoint:
    env, listed = read_env(home), _api_server(read_yaml(home / "config.yaml"))
    enabled = env.get("API_SERVER_ENABLED", "").lower() in {"1", "true", "yes", "on"}
    key = env.get("API_SERVER_KEY") or _text(listed.get("key"), env)
    # A gateway prefers its .env to its config.yaml, if the .env is what switches the server on.
    order = (env, listed) if enabled or env.get("API_SERVER_KEY") else (listed, env)
    port = next((p for p in (_port(source, env) for source in order) if p is not None), None)
    host = next((h for h in (_host(source, env) for source in order) if h), "")
    host = _ANY_ADDRESS.get(host, host)
    address = f"[{host}]" if ":" in host else host
    return HermesEndpoint(
        home, f"http://{address}:{port or PORT}", key, bool(key) or port is not None
    )


def _api_server(config: Mapping[str, Any]) -> dict[str, Any]:
    """The section `platforms.api_server`, also under `gateway`; `extra` goes before the rest."""
    sections = (_mapping(config, "gateway"), config)
    blocks = [_mapping(_mapping(section, "platforms"), "api_server") for section in sections]
    merged: dict[str, Any] = {}
    for values in (*blocks, *(_mapping(block, "extra") for block in blocks)):
        merged |= values
    return merged


def _mapping(value: Mapping[str, Any], name: str) -> dict[str, Any]:
    inner = value.get(name)
    return inner if isinstance(inner, dict) else {}


def _port(source: Mapping[str, Any], env: Mapping[str, str]) -> int | None:
    text = _text(source.get("API_SERVER_PORT", source.get("port")), env)
    return int(text) if text.isdecimal() and 0 < int(text) < 65536 else None


def _host(source: Mapping[str, Any], env: Mapping[str, str]) -> str:
    return _text(source.get("API_SERVER_HOST", source.get("host")), env)


def _text(value: object, env: Mapping[str, str]) -> str:
    """Return a scalar as text, with `${NAME}` replaced from the `.env`."""
    if not isinstance(value, str | int):
        return ""
    return _REFERENCE.sub(lambda found: env.get(found[1], found[0]), str(value)).strip()


# -- files ---------------------------------------------------------------------------------------


def read_env(home: Path) -> dict[str, str]:
    """Read the variables of the `.env` of the home; empty if there is none."""
    return {str(name): str(value) for name, value in _read(home / ".env", _parse_env).items()}


def read_yaml(path: Path) -> dict[str, Any]:
    """Read the mapping in a YAML file; empty if there is none."""
    return _read(path, yaml.safe_load)


def read_json(path: Path) -> dict[str, Any]:
    """Read the object in a JSON file; empty if there is none."""
    return _read(path, json.loads)


def _read(path: Path, parse: Callable[[str], Any]) -> dict[str, Any]:
    try:
        about = path.stat()
    except OSError:
        return {}
    return _parsed(path, about.st_mtime_ns, about.st_size, parse)


@lru_cache(maxsize=64)
def _parsed(path: Path, changed: int, size: int, parse: Callable[[str], Any]) -> dict[str, Any]:
    """Cached per version of the file, so that a fault is logged once."""
    try:
        value = parse(toml_file.decode(plain_file.read(path)))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        log.warning("hermes_home.unreadable path=%s error=%s", path, type(error).__name__)
        return {}
    if value is not None and not isinstance(value, dict):
        log.warning("hermes_home.odd path=%s is=%s", path, type(value).__name__)
    return value if isinstance(value, dict) else {}


def _parse_env(text: str) -> dict[str, str]:
    found = (_ENV_LINE.fullmatch(line) for line in text.splitlines())
    return {line[1]: _unquoted(line[2]) for line in found if line}


def _unquoted(value: str) -> str:
    """Strip the quotes, or the comment that follows."""
    if value[:1] in {"'", '"'} and value.find(value[0], 1) > 0:
        return value[1 : value.index(value[0], 1)]
    return re.split(r"\s#", f" {value}", maxsplit=1)[0].strip()
