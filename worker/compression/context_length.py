"""How many tokens a profile's model takes, from its settings and its Hermes home (P22)."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from shared.hermes.home import read_json, read_yaml
from shared.hermes.profiles import Profile

DEFAULT: Final = 200_000

#: Names of providers in a Hermes home -> their names in its cache of models, where they differ.
_CACHED_AS: Final = {
    "novita": "novita-ai",
    "openai-codex": "openai",
    "kimi": "kimi-for-coding",
    "kimi-coding": "kimi-for-coding",
    "moonshot": "kimi-for-coding",
    "minimax-oauth": "minimax",
    "qwen-oauth": "alibaba",
    "copilot": "github-copilot",
    "opencode-zen": "opencode",
    "kilocode": "kilo",
    "fireworks": "fireworks-ai",
    "gemini": "google",
    "xai-oauth": "xai",
}


def context_length(profile: Profile, model: str | None = None) -> int:
    """Tokens. The profile's own setting; else its home's `config.yaml`: `model.context_length`,
    then the entries of its own providers; then `models_dev_cache.json`; else 200,000.

    `model` is what the run asked for; gateways treat it as an alias, so where nothing is known of
    it, the home's default model counts. Reads files: not for each token.
    """
    if profile.context_length is not None:
        return profile.context_length
    if profile.home is None:
        return DEFAULT
    config = read_yaml(profile.home / "config.yaml")
    chosen = _model_section(config)
    names = [name for name in (model, chosen.get("default")) if isinstance(name, str) and name]
    return (
        _tokens(chosen.get("context_length"))
        or _of_own_providers(config, chosen, names)
        or _of_cache(profile, chosen, names)
        or DEFAULT
    )


def _model_section(config: Mapping[str, Any]) -> dict[str, Any]:
    """`model` as a mapping with `default`, however it was written."""
    section = config.get("model")
    if isinstance(section, str):
        return {"default": section}
    if not isinstance(section, dict):
        return {}
    return {**section, "default": section.get("default") or section.get("model")}


def _tokens(value: object) -> int | None:
    """A positive number of tokens, also as text or with a fraction; else None."""
    try:
        number = int(float(value)) if isinstance(value, int | float | str) else 0
    except (ValueError, OverflowError):
        return None
    return number if number > 0 and not isinstance(value, bool) else None


# -- providers that the operator described -------------------------------------------------------


def _of_own_providers(
    config: Mapping[str, Any], chosen: Mapping[str, Any], names: list[str]
) -> int | None:
    for entry in _providers(config):
        if _is_chosen(entry, chosen):
            models = _models(entry.get("models"))
            lengths = (_tokens(models.get(name, {}).get("context_length")) for name in names)
            found = next((n for n in lengths if n), None) or _tokens(entry.get("context_length"))
            if found:
                return found
    return None


def _providers(config: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The entries of `custom_providers` (a list) and `providers` (by name)."""
    listed, named = config.get("custom_providers"), config.get("providers")
    if isinstance(listed, list):
        yield from (entry for entry in listed if isinstance(entry, dict))
    if isinstance(named, dict):
        yield from ({"name": k, **v} for k, v in named.items() if isinstance(v, dict))


def _is_chosen(entry: Mapping[str, Any], chosen: Mapping[str, Any]) -> bool:
    """Whether the model is served by this provider: same address, or else the same name."""
    address = str(chosen.get("base_url") or "").rstrip("/")
    theirs = str(entry.get("base_url") or entry.get("url") or entry.get("api") or "").rstrip("/")
    if address and theirs:
        return address == theirs
    provider = str(chosen.get("provider") or "").removeprefix("custom:").lower()
    return bool(provider) and provider == str(entry.get("name") or "").lower()


def _models(value: object) -> dict[str, dict[str, Any]]:
    """Model name -> its fields, from a mapping or from a list of `{id | name, …}`."""
    if isinstance(value, dict):
        return {str(k): v for k, v in value.items() if isinstance(v, dict)}
    items = value if isinstance(value, list) else []
    return {str(i.get("id") or i.get("name")): i for i in items if isinstance(i, dict)}


# -- the home's cache of known models ------------------------------------------------------------


def _of_cache(profile: Profile, chosen: Mapping[str, Any], names: list[str]) -> int | None:
    cache = _cache(profile)
    provider = str(chosen.get("provider") or "")
    known = _lengths(cache.get(_CACHED_AS.get(provider, provider)))
    for name in names:
        if name.lower() in known:
            return known[name.lower()]
    everywhere = [_lengths(entry) for entry in cache.values()]
    for name in names:
        found = [lengths[name.lower()] for lengths in everywhere if name.lower() in lengths]
        if found:
            return min(found)  # it is not known who serves it: what all of them take
    return None


def _cache(profile: Profile) -> dict[str, Any]:
    """The profile's own, else that of the home which holds the profile."""
    assert profile.home is not None
    homes = [profile.home]
    if profile.home.parent.name == "profiles":
        homes.append(profile.home.parent.parent)
    found = (read_json(home / "models_dev_cache.json") for home in homes)
    return next((cache for cache in found if cache), {})


def _lengths(provider: object) -> dict[str, int]:
    """Model name in lower case -> tokens."""
    models = provider.get("models") if isinstance(provider, dict) else None
    lengths: dict[str, int] = {}
    for name, model in models.items() if isinstance(models, dict) else ():
        limit = model.get("limit") if isinstance(model, dict) else None
        tokens = _tokens(limit.get("context")) if isinstance(limit, dict) else None
        if tokens is not None:
            lengths[str(name).lower()] = tokens
    return lengths
