"""What must be set before other machines can connect."""

import pytest

from shared.errors import SettingsError
from shared.settings import SHORTEST_TOKEN, Settings


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "host.example"])
@pytest.mark.parametrize("token", ["t", "secret", "x" * (SHORTEST_TOKEN - 1)])
def test_a_token_that_is_guessed_easily_is_refused_where_others_can_connect(
    host: str, token: str
) -> None:
    with pytest.raises(SettingsError, match="openssl rand"):
        Settings.load({"HOST": host, "AUTH_TOKEN": token})
    assert Settings.load({"HOST": host, "AUTH_TOKEN": token, "OPEN_ACCESS": "1"}).has_short_token


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]"])
def test_on_this_machine_it_is_only_noted(host: str) -> None:
    assert Settings.load({"HOST": host, "AUTH_TOKEN": "t"}).has_short_token


def test_a_long_token_or_none_is_fine() -> None:
    for token in ("", "x" * SHORTEST_TOKEN):
        assert not Settings.load({"HOST": "0.0.0.0", "AUTH_TOKEN": token}).has_short_token


def test_without_any_token_only_this_machine_may_connect_unless_confirmed() -> None:
    with pytest.raises(SettingsError, match="OPEN_ACCESS"):
        Settings.load({"HOST": "0.0.0.0", "AUTH_DISABLED": "1"})
    Settings.load({"HOST": "0.0.0.0", "AUTH_DISABLED": "1", "OPEN_ACCESS": "1"})
    Settings.load({"AUTH_DISABLED": "1"})
