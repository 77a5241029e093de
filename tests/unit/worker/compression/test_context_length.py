"""How long a model's context is: the profile, its home's config, its home's cache (P22-P24)."""

import json
from pathlib import Path
from typing import Any

import pytest

from shared.hermes.profiles import Profile
from worker.compression.context_length import DEFAULT, context_length


def profile(home: Path | None, length: int | None = None) -> Profile:
    return Profile("p", "http://x", context_length=length, home=home)


def config(home: Path, text: str) -> Path:
    home.mkdir(parents=True, exist_ok=True)
    (home / "config.yaml").write_text(text)
    return home


def cache(home: Path, **providers: dict[str, Any]) -> None:
    home.mkdir(parents=True, exist_ok=True)
    known = {
        name: {"models": {model: {"limit": {"context": n}} for model, n in models.items()}}
        for name, models in providers.items()
    }
    (home / "models_dev_cache.json").write_text(json.dumps(known))


def test_the_profile_says_it_first(tmp_path: Path) -> None:
    config(tmp_path, "model: {default: m, context_length: 5000}")
    assert context_length(profile(tmp_path, 777)) == 777


def test_without_a_home_it_is_200_000() -> None:
    assert context_length(profile(None), "m") == DEFAULT == 200_000


def test_then_the_model_section_of_the_config(tmp_path: Path) -> None:
    config(
        tmp_path,
        "model: {default: m, base_url: 'http://b/v1', context_length: 5000}\n"
        "custom_providers: [{base_url: 'http://b/v1', models: {m: {context_length: 6000}}}]",
    )
    assert context_length(profile(tmp_path)) == 5000


@pytest.mark.parametrize(
    "providers",
    [
        "custom_providers: [{base_url: 'http://b/v1/', models: {m: {context_length: 6000}}}]",
        "custom_providers: [{base_url: 'http://b/v1', models: [{id: m, context_length: 6000}]}]",
        "custom_providers: [{base_url: 'http://b/v1', context_length: 6000}]",
        "custom_providers: [{name: mine, models: {m: {context_length: '6000'}}}]",
        "providers: {mine: {models: {m: {context_length: 6000}}}}",
        "providers: {other: {url: 'http://c'}, x: {api: 'http://b/v1', context_length: 6000}}",
    ],
)
def test_then_the_operators_own_providers(tmp_path: Path, providers: str) -> None:
    config(
        tmp_path,
        f"model: {{default: m, provider: 'custom:mine', base_url: 'http://b/v1'}}\n{providers}",
    )
    assert context_length(profile(tmp_path)) == 6000


def test_another_provider_of_the_operator_does_not_count(tmp_path: Path) -> None:
    config(
        tmp_path,
        "model: {default: m, base_url: 'http://b/v1'}\n"
        "custom_providers: [{base_url: 'http://c/v1', models: {m: {context_length: 6000}}}]",
    )
    assert context_length(profile(tmp_path)) == DEFAULT


def test_then_the_cache_of_known_models_by_provider(tmp_path: Path) -> None:
    config(tmp_path, "model: {default: Big-Model, provider: gemini}")
    cache(tmp_path, google={"big-model": 1_000_000}, other={"big-model": 32_000})
    assert context_length(profile(tmp_path)) == 1_000_000


def test_with_an_unknown_provider_the_least_that_all_take(tmp_path: Path) -> None:
    config(tmp_path, "model: m")
    cache(tmp_path, a={"m": 128_000}, b={"m": 64_000}, c={"m": 0, "n": 5})
    assert context_length(profile(tmp_path)) == 64_000


def test_the_model_of_the_run_goes_before_the_default_one(tmp_path: Path) -> None:
    config(tmp_path, "model: {default: m, provider: a}")
    cache(tmp_path, a={"m": 128_000, "n": 64_000})
    assert context_length(profile(tmp_path), "n") == 64_000
    assert context_length(profile(tmp_path), "an-alias") == 128_000


def test_a_profile_uses_the_cache_of_the_home_that_holds_it(tmp_path: Path) -> None:
    work = config(tmp_path / "profiles" / "work", "model: {default: m, provider: a}")
    cache(tmp_path, a={"m": 128_000})
    assert context_length(profile(work)) == 128_000


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    config(tmp_path, "model: {context_length: 5000}")
    assert context_length(profile(tmp_path)) == 5000
    config(tmp_path, "model: {context_length: 50000}")
    assert context_length(profile(tmp_path)) == 50_000


@pytest.mark.parametrize(
    "text",
    [
        "model: [",
        "model: [1, 2]",
        "model: {default: 5, context_length: many}",
        "model: {default: m, context_length: -1, provider: 7}",
        "model: {default: m, context_length: .inf}",
        "model: {default: m, context_length: true}",
        "model: {default: m, provider: x}\ncustom_providers: {a: b}\nproviders: [1, {x: {}}]",
        "model: {default: m, provider: x}\ncustom_providers: [{name: x, models: 5}, 5, null]",
        "custom_providers: [{name: '', models: {m: 5}}]",
    ],
)
@pytest.mark.parametrize("known", ["[1]", "{", '{"a": 5, "b": {"models": {"m": {"limit": 5}}}}'])
def test_odd_files_leave_the_usual_length(tmp_path: Path, text: str, known: str) -> None:
    config(tmp_path, text)
    (tmp_path / "models_dev_cache.json").write_text(known)
    assert context_length(profile(tmp_path), "m") == DEFAULT
