"""Files that an operator names, whatever stands there (C19)."""

import os
from pathlib import Path

import pytest

from shared import plain_file, user_tokens
from shared.errors import SettingsError
from shared.hermes.home import read_env
from shared.hermes.profiles import Profiles
from shared.settings import Settings


def fifo(path: Path) -> None:
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.mkdir()


def loop(path: Path) -> None:
    path.symlink_to(path)


def dangling(path: Path) -> None:
    path.symlink_to(path.with_name("gone"))


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def large(path: Path) -> None:
    path.write_bytes(b"#" * (plain_file.MOST_BYTES + 1))


def binary(path: Path) -> None:
    path.write_bytes(bytes(range(256)))


ODD = [fifo, folder, loop, dangling, endless, large, binary]


@pytest.fixture(params=ODD, ids=lambda make: make.__name__)
def odd(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "odd"
    request.param(path)
    if path.is_file():
        path.chmod(0o600)
    return path


def test_each_setting_says_that_it_cannot_be_used(odd: Path) -> None:
    for name in ("PROFILES_FILE", "GATEWAY_CA_FILE"):
        if name == "GATEWAY_CA_FILE" and odd.is_dir():
            continue  # a folder of certificates
        settings = Settings.load({name: str(odd), "HERMES_HOME": str(odd / "none")})
        with pytest.raises(SettingsError, match=name) as caught:
            Profiles.load(settings)
        assert len(caught.value.faults) == 1
    with pytest.raises(SettingsError, match="TOKENS_FILE"):
        user_tokens.read_all(odd)


def test_a_file_of_a_hermes_home_counts_as_empty(odd: Path) -> None:
    odd.rename(odd.with_name(".env"))
    assert read_env(odd.parent) == {}


def test_the_null_device_is_an_empty_file() -> None:
    assert plain_file.read(Path(os.devnull)) == b""
    Profiles.load(Settings.load({"PROFILES_FILE": os.devnull}))


def test_what_is_not_there_reads_as_nothing_if_that_is_asked_for(tmp_path: Path) -> None:
    fifo(tmp_path / "fifo")
    assert plain_file.read_if_there(tmp_path / "none") == b""
    assert plain_file.read_if_there(tmp_path / "fifo") == b""
