"""Reads the shipped manifests as Kustomize would put them together, as far as tests need it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.support.paths import ROOT

Manifest = dict[str, Any]

KUBERNETES = ROOT / "deploy" / "kubernetes"
BASE = KUBERNETES / "base"


def documents(file: Path) -> list[Manifest]:
    """The documents of a file, none of which is empty."""
    return list(yaml.safe_load_all(file.read_text("utf-8")))


def resources(folder: Path = BASE) -> list[Manifest]:
    """What the kustomization of a folder lists, without its patches."""
    (kustomization,) = documents(folder / "kustomization.yaml")
    found = []
    for entry in kustomization["resources"]:
        place = folder / entry
        found += resources(place) if place.is_dir() else documents(place)
    return found


def of_kind(*kinds: str) -> list[Manifest]:
    """The base's manifests of these kinds."""
    return [one for one in resources() if one["kind"] in kinds]


def pods() -> Iterator[tuple[str, Manifest]]:
    """Role and pod specification of everything that runs."""
    for one in of_kind("Deployment", "Job"):
        role = one["metadata"]["name"].removeprefix("holdfast-")
        yield role, one["spec"]["template"]["spec"]


def container(role: str) -> Manifest:
    """The one container of a role's pod."""
    (found,) = dict(pods())[role]["containers"]
    assert isinstance(found, dict)
    return found


def settings() -> dict[str, str]:
    """The variables that the base sets."""
    lines = (BASE / "settings.env").read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
