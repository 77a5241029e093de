"""Settings as people and tools write them: they work, or a line says what to do (C19)."""

import re
from datetime import timedelta

import pytest

from shared.errors import SettingsError
from shared.settings import Settings
from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "SETTINGS.md").read_text("utf-8")
NAMES = re.findall(r"^\| `([A-Z_]+)` \|", PAGE, re.MULTILINE)
NOT_OURS = {"FLOWER_PORT", "NO_COLOR", "PYTHON", "CI"}
ODD = [
    *(
        "",
        " ",
        "\t",
        '""',
        "'",
        '"',
        "null",
        "None",
        "nan",
        "inf",
        "-inf",
        "1e400",
        "-1",
        "-0",
        "0",
    ),
    *("1_000", "0x10", "\u0663", "\uff11", "10s", "5 # five", "9" * 5000, "1,5", "TRUE", "on", "é"),
    *(
        "\udcff",
        "~",
        "~nobody-of-that-name",
        "/dev/null",
        "[",
        "://",
        "http://[",
        "a..b",
        "*",
        "::",
    ),
    *("${X}", "%s", "{}", ",", ";", "a b", "a\nb", "\x1b[31m", "\u202e"),
]


@pytest.mark.parametrize("name", sorted(set(NAMES) - NOT_OURS))
def test_any_value_is_understood_or_refused_in_lines_that_name_the_variable(name: str) -> None:
    for value in ODD:
        try:
            Settings.load({name: value})
        except SettingsError as error:
            for fault in error.faults:
                assert name in fault
                assert fault.isprintable()
                assert len(fault) < 300


def test_the_table_has_most_settings() -> None:
    assert len(set(NAMES) - NOT_OURS) > 50


@pytest.mark.parametrize("around", ['"{}"', "'{}'", ' "{}" ', '" {} "', "{}\n", "\t{}"])
def test_quotes_and_blanks_that_a_file_of_variables_keeps(around: str) -> None:
    given = {
        "PORT": "8700",
        "HERMES_URL": "http://h:1",
        "REDIS_URL": "redis://h/1",
        "AUTH_DISABLED": "True",
        "LOG_LEVEL": "debug",
        "DRAIN_SECONDS": "1.5",
        "HERMES_API_KEY": "key",
    }
    read = Settings.load({name: around.format(value) for name, value in given.items()})
    assert (read.port, read.hermes_url, read.redis_url) == (8700, "http://h:1", "redis://h/1")
    assert (read.auth_disabled, read.log_level, read.hermes_api_key) == (True, "DEBUG", "key")
    assert read.drain == timedelta(seconds=1.5)


@pytest.mark.parametrize("token", ['"secret"', "'secret'", "a\nb", "a\x00b", "\udce9"])
def test_a_token_that_clients_could_not_send_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(SettingsError, match="AUTH_TOKEN") as caught:
        Settings.load({"AUTH_TOKEN": token})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "origins", ["app", "https://h/path", "https://u@h", "https://h?x", "https://[h", "null"]
)
def test_what_is_no_origin_is_refused_at_the_start(origins: str) -> None:
    with pytest.raises(SettingsError, match="CORS_ORIGINS"):
        Settings.load({"CORS_ORIGINS": f"https://good.example,{origins}"})


@pytest.mark.parametrize("hosts", ["https://h", "h:80", "h/path", "[::1", "u@h"])
def test_what_is_no_name_of_a_host_is_refused_at_the_start(hosts: str) -> None:
    with pytest.raises(SettingsError, match="ALLOWED_HOSTS"):
        Settings.load({"ALLOWED_HOSTS": f"good.example, {hosts}"})


def test_origins_and_hosts_in_use_are_accepted() -> None:
    read = Settings.load(
        {"CORS_ORIGINS": "https://A.example:8443/, *", "ALLOWED_HOSTS": "a.example,[::1],*"}
    )
    assert read.cors_origins == ("https://A.example:8443/", "*")
    assert read.allowed_hosts == ("a.example", "[::1]", "*")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "0x7f000001", "[::1]", "LOCALHOST", "::1"])
def test_spellings_of_the_own_machine_need_no_token(host: str) -> None:
    assert Settings.load({"HOST": host, "AUTH_DISABLED": "1"}).host == host


@pytest.mark.parametrize("host", ["0", "0.0", "0x0", "[::]", "*", "::ffff:0.0.0.0", "a.localhost"])
def test_no_spelling_of_all_addresses_passes_for_the_own_machine(host: str) -> None:
    with pytest.raises(SettingsError, match="AUTH_DISABLED"):
        Settings.load({"HOST": host, "AUTH_DISABLED": "1"})


@pytest.mark.parametrize("value", ["alice", "alice=", "=3", "alice=-1", "alice=x", "alice=99999"])
def test_an_age_that_is_no_number_of_days_is_named(value: str) -> None:
    with pytest.raises(SettingsError, match="RETENTION_OF_OWNERS"):
        Settings.load({"RETENTION_OF_OWNERS": value})


def test_an_owner_may_have_an_equals_sign() -> None:
    settings = Settings.load({"RETENTION_OF_OWNERS": "a=b=2, carol=0.5"})
    assert settings.retention_of_owners == {"a=b": 2, "carol": 0.5}
