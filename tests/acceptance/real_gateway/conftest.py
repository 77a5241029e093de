"""The real gateway, the package `hermes-agent`, and a stack that uses it; once for each file.

Each file brings the fixture `model`: what the gateway's language model answers, made anew for each
kind of gateway that its tests are run with.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.gateways.hermes import HermesGateway
from tests.support.gateways.hermes_install import NEWEST, OLDEST
from tests.support.gateways.model_server import ModelServer
from tests.support.servers.stack import Stack


@dataclass(frozen=True)
class Kind:
    """A version, and whether Holdfast is told where its home is."""

    version: str = NEWEST
    at_home: bool = False

    @property
    def has_transcript(self) -> bool:
        """Whether results of tools, and reasoning, can be had."""
        return self.version != OLDEST or self.at_home

    def __str__(self) -> str:
        return self.version + (" at home" if self.at_home else "")


NEW, OLD, OLD_AT_HOME = KINDS = (Kind(), Kind(OLDEST), Kind(OLDEST, at_home=True))
# `make gateways` runs all tests with all of them, which takes some minutes.
EVERYWHERE = os.environ.get("HOLDFAST_GATEWAYS") == "all"


def only_with(*kinds: Kind, everywhere: Sequence[Kind] = KINDS) -> pytest.MarkDecorator:
    """The mark of a file whose tests are run with these kinds; with more if all are asked for."""
    chosen = everywhere if EVERYWHERE else kinds
    return pytest.mark.parametrize("kind", chosen, ids=str, indirect=True, scope="module")


@pytest.fixture(scope="module", params=KINDS, ids=str)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Each kind of gateway in turn."""
    found: Kind = request.param
    return found


@pytest.fixture(scope="module")
def hermes_settings() -> Mapping[str, object]:
    """Sections of the gateway's configuration; a file may have its own."""
    return {}


@pytest.fixture(scope="module")
def hermes(
    kind: Kind,
    hermes_environments: Callable[[str], Path],
    model: ModelServer,
    hermes_settings: Mapping[str, object],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[HermesGateway]:
    hermes_environments(kind.version)
    home = tmp_path_factory.mktemp("hermes")
    with HermesGateway.start(
        model.url, home, settings=hermes_settings, version=kind.version
    ) as running:
        yield running


@pytest.fixture(scope="module")
def told(kind: Kind, hermes: HermesGateway) -> dict[str, Any]:
    """The settings of a stack that say where the gateway is at home."""
    if not kind.at_home:
        return {}
    port = hermes.url.rpartition(":")[2]
    (hermes.home / ".env").write_text(f"API_SERVER_ENABLED=true\nAPI_SERVER_PORT={port}\n")
    return {"HERMES_HOME": hermes.home}


@pytest.fixture(scope="module")
def real(hermes: HermesGateway, told: dict[str, Any]) -> Iterator[Stack]:
    """A stack whose gateway is the real one."""
    made = Stack(gateway=(hermes.url, hermes.key), **told)
    try:
        yield made.start()
    finally:
        made.stop()
