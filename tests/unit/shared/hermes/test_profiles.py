"""Where profiles come from: settings, a Hermes home, a file (P16)."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from shared.errors import SettingsError, UnknownProfile
from shared.hermes.profiles import Profile, Profiles
from shared.settings import Settings

Write = Callable[..., Path]

BOTH = """
gateway: {platforms: {api_server: {extra: {port: 3333}}}}
platforms: {api_server: {port: 4444}}
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "hermes"


@pytest.fixture
def write(home: Path) -> Write:
    """Write a home: `config` is YAML, `env` the `.env`; `name` of a profile or none for default."""

    def write(name: str = "", *, config: str = "", env: str = "") -> Path:
        folder = home / "profiles" / name if name else home
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.yaml").write_text(config)
        (folder / ".env").write_text(env)
        return folder

    return write


@pytest.fixture
def load(home: Path) -> Callable[..., Profiles]:
    def load(**environ: str) -> Profiles:
        return Profiles.load(Settings.load({"HERMES_HOME": str(home), **environ}))

    return load


Load = Callable[..., Profiles]


def where(profile: Profile) -> tuple[str, str]:
    return profile.url, profile.api_key


def test_without_a_home_the_settings_are_all_there_is(load: Load) -> None:
    profiles = load()
    assert profiles.names() == ["default"]
    assert profiles.get("default") == Profile("default", "http://127.0.0.1:8642")
    with pytest.raises(UnknownProfile):
        profiles.get("work")


def test_the_default_profile_is_the_home_itself(load: Load, write: Write) -> None:
    home = write(env="API_SERVER_KEY=secret\nAPI_SERVER_PORT=9001\n")
    default = load().get("default")
    assert where(default) == ("http://127.0.0.1:9001", "secret")
    assert default.home == home


def test_each_folder_under_profiles_is_one_more(load: Load, write: Write) -> None:
    work = write("work", env="API_SERVER_KEY=w\nAPI_SERVER_PORT=9002")
    write("play", config="platforms: {api_server: {extra: {port: 9003, key: p}}}")
    profiles = load()
    assert profiles.names() == ["default", "play", "work"]
    assert where(profiles.get("work")) == ("http://127.0.0.1:9002", "w")
    assert where(profiles.get("play")) == ("http://127.0.0.1:9003", "p")
    assert profiles.get("work").home == work


def test_a_home_that_configures_no_gateway_is_no_profile(load: Load, write: Write) -> None:
    write("idle", config="model: {default: m}")
    write(".hidden", env="API_SERVER_KEY=k")
    write("default", env="API_SERVER_KEY=not-this-one")
    profiles = load()
    assert profiles.names() == ["default"]
    assert profiles.get("default").api_key == ""


@pytest.mark.parametrize(
    ("config", "env", "url"),
    [
        ("platforms: {api_server: {extra: {port: 1111}}}", "API_SERVER_PORT=2222", "1111"),
        (
            "platforms: {api_server: {extra: {port: 1111}}}",
            "API_SERVER_PORT=2222\nAPI_SERVER_KEY=k",
            "2222",
        ),
        (
            "platforms: {api_server: {extra: {port: 1111}}}",
            "API_SERVER_PORT=2222\nAPI_SERVER_ENABLED=true",
            "2222",
        ),
        ("gateway: {platforms: {api_server: {extra: {port: 3333}}}}", "", "3333"),
        ("platforms: {api_server: {port: 4444}}", "", "4444"),
        (BOTH, "", "3333"),
        ("platforms: {api_server: {extra: {port: '${MY_PORT}'}}}", "MY_PORT=5555", "5555"),
        ("platforms: {api_server: {extra: {port: many}}}", "API_SERVER_KEY=k", "8642"),
        ("", "API_SERVER_PORT=70000", "8642"),
    ],
)
def test_the_port_is_looked_for_where_a_gateway_looks(
    load: Load, write: Write, config: str, env: str, url: str
) -> None:
    write(config=config, env=env)
    assert load().get("default").url == f"http://127.0.0.1:{url}"


@pytest.mark.parametrize(
    ("host", "address"),
    [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("10.1.2.3", "10.1.2.3"), ("fd00::1", "[fd00::1]")],
)
def test_a_gateway_on_all_interfaces_is_reached_on_loopback(
    load: Load, write: Write, host: str, address: str
) -> None:
    write(env=f"API_SERVER_KEY=k\nAPI_SERVER_HOST={host}")
    assert load().get("default").url == f"http://{address}:8642"


@pytest.mark.parametrize(
    "line",
    [
        "API_SERVER_KEY=a#b",
        'API_SERVER_KEY="a#b"  # ours',
        "export API_SERVER_KEY='a#b'",
        "  API_SERVER_KEY = a#b  # a comment",
        "\ufeffAPI_SERVER_KEY=a#b",
    ],
)
def test_the_env_file_is_read_as_shells_read_it(load: Load, write: Write, line: str) -> None:
    write(env=f"# API_SERVER_KEY=no\n\nnot a line\n{line}\n" if line[0] != "\ufeff" else line)
    assert load().get("default").api_key == "a#b"


def test_explicit_settings_win_for_the_default_profile(load: Load, write: Write) -> None:
    write(env="API_SERVER_KEY=theirs\nAPI_SERVER_PORT=9001")
    given = load(HERMES_URL="http://127.0.0.1:9001", HERMES_API_KEY="mine").get("default")
    assert where(given) == ("http://127.0.0.1:9001", "mine")
    assert load(HERMES_API_KEY="mine").get("default").url == "http://127.0.0.1:9001"


def test_the_key_of_a_home_goes_to_no_other_gateway(load: Load, write: Write, home: Path) -> None:
    write(env="API_SERVER_KEY=theirs\nAPI_SERVER_PORT=9001")
    elsewhere = load(HERMES_URL="http://elsewhere:7000").get("default")
    assert (elsewhere.api_key, elsewhere.home) == ("", None)
    in_a_container = load(HERMES_URL="http://gateway:9001").get("default")
    assert (in_a_container.api_key, in_a_container.home) == ("", home)
    same = load(HERMES_URL="http://127.0.0.1:9001").get("default")
    assert same.api_key == "theirs"


def test_the_profiles_file_wins_over_what_was_found(
    load: Load, write: Write, tmp_path: Path
) -> None:
    work = write("work", env="API_SERVER_KEY=w\nAPI_SERVER_PORT=9002")
    write("play", env="API_SERVER_KEY=p\nAPI_SERVER_PORT=9003")
    file = tmp_path / "profiles.toml"
    file.write_text(
        '[profiles.work]\nurl = "http://127.0.0.1:9002"\napi_key = "x"\ncontext_length = 5\n'
        '[profiles.play]\nurl = "http://far:1"\n'
        f'[profiles.more]\nurl = "http://far:2"\nhome = "{tmp_path}"\n'
    )
    profiles = load(PROFILES_FILE=str(file))
    assert profiles.names() == ["default", "more", "play", "work"]
    named = profiles.get("work")
    assert (*where(named), named.context_length) == ("http://127.0.0.1:9002", "x", 5)
    assert named.home == work
    assert (profiles.get("play").api_key, profiles.get("play").home) == ("", None)
    assert profiles.get("more").home == tmp_path


def test_all_faults_of_the_profiles_file_are_reported(load: Load, tmp_path: Path) -> None:
    file = tmp_path / "profiles.toml"
    file.write_text('[profiles.a]\nurl = "ftp://x"\n[profiles.b]\nurl = "http://x"\nfoo = 1\n')
    with pytest.raises(SettingsError) as caught:
        load(PROFILES_FILE=str(file))
    assert len(caught.value.faults) == 2


WORK = '[profiles.work]\nurl = "http://far:1"\n'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_profiles_file_is_read_in_each_encoding(
    load: Load, tmp_path: Path, encoding: str
) -> None:
    file = tmp_path / "profiles.toml"
    file.write_bytes(f'{WORK}api_key = "k"  # Schlüssel\n'.encode(encoding))
    assert where(load(PROFILES_FILE=str(file)).get("work")) == ("http://far:1", "k")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("profiles = 3", "profiles.NAME"),
        ("[[profiles]]\nurl = 'http://h'", "profiles.NAME"),
        ("[profiles]\nwork = 'http://h'", "profiles.NAME"),
        ("[profile.work]\nurl = 'http://h'", "profiles.NAME"),
        ("[profiles.work]\nurl = 5", "url must be text"),
        ("[profiles.work]\n", "url is missing"),
        (WORK + "api_key = 5", "api_key must be text"),
        (WORK + 'api_key = "a\\nb"', "api_key has"),
        (WORK + 'api_key = "schlüssel"', "api_key has"),
        (WORK + "context_length = true", "context_length"),
        (WORK + "home = 5", "home"),
        (WORK + "max_runs = false", "max_runs"),
        (WORK + "history_format = ['text']", "history_format"),
        ("[profiles.work", "not TOML"),
    ],
)
def test_a_wrong_shape_is_said_in_a_line(load: Load, tmp_path: Path, text: str, fault: str) -> None:
    file = tmp_path / "profiles.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=fault):
        load(PROFILES_FILE=str(file))


@pytest.mark.parametrize("place", ["missing.toml", "."])
def test_a_profiles_file_that_is_none_is_said_in_a_line(
    load: Load, tmp_path: Path, place: str
) -> None:
    with pytest.raises(SettingsError, match="PROFILES_FILE"):
        load(PROFILES_FILE=str(tmp_path / place))


def test_v1_behind_an_address_is_left_out(load: Load, tmp_path: Path) -> None:
    file = tmp_path / "profiles.toml"
    file.write_text('[profiles.work]\nurl = "http://far:1/v1/"\n')
    profiles = load(PROFILES_FILE=str(file), HERMES_URL="http://near:2/v1")
    assert profiles.get("work").url == "http://far:1"
    assert profiles.get("default").url == "http://near:2"


def test_a_key_of_a_home_that_no_header_can_carry_is_said(load: Load, write: Write) -> None:
    write(env="API_SERVER_KEY=schlüssel\n")
    with pytest.raises(SettingsError, match="profile default"):
        load()


@pytest.mark.parametrize(
    "config",
    ["a: [", "- a\n- list", "platforms: [1]", "platforms: {api_server: {extra: 5}}", "\x00", "5"],
)
def test_a_malformed_config_counts_as_empty_and_is_logged_once(
    load: Load, write: Write, config: str, caplog: pytest.LogCaptureFixture
) -> None:
    write(config=config, env="API_SERVER_KEY=k")
    with caplog.at_level(logging.WARNING):
        assert where(load().get("default")) == ("http://127.0.0.1:8642", "k")
        load()
    assert len(caplog.records) <= 1


def test_files_that_are_not_text_or_not_files_are_skipped(
    load: Load, write: Write, home: Path
) -> None:
    write("bytes")
    (home / "profiles" / "bytes" / ".env").write_bytes(b"API_SERVER_KEY=\xff\xfe\n")
    (home / "profiles" / "folder" / "config.yaml").mkdir(parents=True)
    (home / "profiles" / "file").write_text("not a home")
    assert load().names() == ["default"]


def test_keys_are_not_shown_where_profiles_are_logged(load: Load, write: Write) -> None:
    write(env="API_SERVER_KEY=very-secret")
    assert "very-secret" not in repr(load().get("default"))


def certificates(path: Path) -> Path:
    trustme.CA().cert_pem.write_to_path(path)
    return path


def test_authorities_are_those_of_the_profile_else_those_of_the_settings(
    load: Load, tmp_path: Path
) -> None:
    own, all_of_us = certificates(tmp_path / "own.pem"), certificates(tmp_path / "all.pem")
    file = tmp_path / "profiles.toml"
    file.write_text(
        f'[profiles.own]\nurl = "https://a"\nca_file = "{own}"\n[profiles.other]\nurl = "https://b"\n'
    )
    profiles = load(PROFILES_FILE=str(file), GATEWAY_CA_FILE=str(all_of_us))
    assert profiles.get("own").ca_file == own
    assert profiles.get("other").ca_file == all_of_us
    assert profiles.get("default").ca_file == all_of_us
    assert load(PROFILES_FILE=str(file)).get("default").ca_file is None
    assert load(GATEWAY_CA_FILE=str(tmp_path)).get("default").ca_file == tmp_path  # a folder


def test_authorities_that_cannot_be_read_are_named_at_the_start(load: Load, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("")
    file = tmp_path / "profiles.toml"
    file.write_text('[profiles.own]\nurl = "https://a"\nca_file = "/nowhere/ca.pem"\n')
    with pytest.raises(SettingsError) as refused:
        load(PROFILES_FILE=str(file), GATEWAY_CA_FILE=str(tmp_path / "empty.pem"))
    assert "GATEWAY_CA_FILE" in str(refused.value)
    assert "profile own: ca_file" in str(refused.value)
