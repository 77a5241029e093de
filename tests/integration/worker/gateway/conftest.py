"""No test of a gateway client leaves one open."""

from collections.abc import Iterator

import pytest

from tests.support.gateways.open_clients import close_all


@pytest.fixture(autouse=True)
def closed_clients() -> Iterator[None]:
    yield
    close_all()
