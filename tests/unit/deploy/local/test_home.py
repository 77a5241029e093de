"""The folder of a machine-local Holdfast."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deploy.errors import DeployError, HomeBusyError
from deploy.local.home import HomeLock, open_home, secret


def test_a_new_home_is_for_its_owner_only(tmp_path: Path) -> None:
    home = open_home(tmp_path / "deep" / "home")
    assert home.path.stat().st_mode & 0o777 == 0o700


def test_a_home_that_cannot_be_made_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DeployError, match="HOLDFAST_HOME"):
        open_home(tmp_path / "file" / "home")


def test_a_secret_is_made_once_and_read_by_its_owner_only(tmp_path: Path) -> None:
    made = secret(tmp_path / "token")
    assert secret(tmp_path / "token") == made
    assert len(made) >= 40
    assert (tmp_path / "token").stat().st_mode & 0o777 == 0o600


def test_processes_that_race_for_a_secret_agree(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(secret, [tmp_path / "token"] * 32))
    assert len(found) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["token"]


def test_an_empty_secret_is_refused(tmp_path: Path) -> None:
    (tmp_path / "token").touch()
    with pytest.raises(DeployError, match="is empty"):
        secret(tmp_path / "token")


def test_a_second_owner_gets_an_error_that_names_the_first(tmp_path: Path) -> None:
    home = open_home(tmp_path)
    first = HomeLock(home)
    first.acquire()
    first.describe("http://127.0.0.1:8648")
    with pytest.raises(HomeBusyError, match=r"pid \d+, http://127.0.0.1:8648"):
        HomeLock(home).acquire()
    first.close()
    second = HomeLock(home)
    second.acquire()
    second.close()
