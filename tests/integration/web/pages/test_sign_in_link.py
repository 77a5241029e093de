"""The link that `holdfast up` prints signs in one browser, once, in whichever web process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import requests

from shared import sign_in_code
from shared.db.migrate import upgrade
from tests.integration.web.test_process import start_web
from tests.support.servers.processes import Processes
from tests.support.servers.redis_server import RedisServer

TOKEN = "token"  # of `start_web`


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """Two web processes of one installation."""
    home = tmp_path_factory.mktemp("home")
    database_url = f"sqlite:///{home / 'test.db'}"
    upgrade(database_url)
    with ExitStack() as left:
        server = RedisServer()
        left.callback(server.stop)
        made = []
        for number in range(2):
            (home / str(number)).mkdir()
            processes = Processes(home / str(number))
            left.callback(processes.stop_all)
            made.append(start_web(processes, server.url, database_url, home, DEMO_GATEWAY="1")[0])
        yield made


def redeem(url: str, code: object) -> requests.Response:
    headers = {"Origin": url}
    return requests.post(f"{url}/auth/session", json={"code": code}, headers=headers, timeout=5)


def test_a_code_gives_a_cookie_that_counts(urls: list[str]) -> None:
    answer = redeem(urls[0], sign_in_code.make(TOKEN, time.time()))
    assert answer.json()["owner"] == "default"
    for url in urls:
        shown = requests.get(f"{url}/page/info", cookies=answer.cookies, timeout=5)
        said = {"signed_in": True, "owner": "default", "demo_gateway": True}
        assert said.items() <= shown.json().items()


def test_a_code_signs_in_once_whichever_process_is_asked(urls: list[str]) -> None:
    code = sign_in_code.make(TOKEN, time.time())
    assert redeem(urls[0], code).status_code == 200
    assert [redeem(url, code).status_code for url in urls] == [401, 401]


def test_a_code_that_has_ended_or_is_wrong_is_refused(urls: list[str]) -> None:
    old = sign_in_code.make(TOKEN, time.time() - sign_in_code.LIFE)
    assert redeem(urls[0], old).status_code == 401
    assert redeem(urls[0], "nonsense").status_code == 401
    assert redeem(urls[0], 7).status_code == 400


def test_a_code_is_of_no_use_to_the_page_of_another_origin(urls: list[str]) -> None:
    answer = requests.post(
        f"{urls[0]}/auth/session",
        json={"code": sign_in_code.make(TOKEN, time.time())},
        headers={"Origin": "http://elsewhere.example"},
        timeout=5,
    )
    assert answer.status_code == 403


def test_strangers_are_told_nothing(urls: list[str]) -> None:
    answer = requests.get(f"{urls[0]}/page/info", timeout=5)
    assert answer.json() == {"ok": True, "signed_in": False}
