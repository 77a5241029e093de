"""The real gateway, the package `hermes-agent`, and a stack that uses it; once for each file.

Each file brings the fixture `model`: what the gateway's language model answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.gateways.hermes import HermesGateway
from tests.support.gateways.model_server import ModelServer
from tests.support.servers.stack import Stack


@pytest.fixture(scope="module")
def hermes_settings() -> Mapping[str, object]:
    """Sections of the gateway's configuration; a file may have its own."""
    return {}


@pytest.fixture(scope="module")
def hermes(
    hermes_installed: Path,
    model: ModelServer,
    hermes_settings: Mapping[str, object],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[HermesGateway]:
    home = tmp_path_factory.mktemp("hermes")
    with HermesGateway.start(model.url, home, settings=hermes_settings) as running:
        yield running


@pytest.fixture(scope="module")
def real(hermes: HermesGateway) -> Iterator[Stack]:
    """A stack whose gateway is the real one."""
    made = Stack(gateway=(hermes.url, hermes.key))
    try:
        yield made.start()
    finally:
        made.stop()
